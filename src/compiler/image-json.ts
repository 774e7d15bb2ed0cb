// SPDX-License-Identifier: Apache-2.0
/** The compiled image as JSON: what `maglane compile` prints. */

import { createHash } from 'node:crypto'
import type { FrontendKind, ServicePlan } from '../model/types.ts'
import { compileService } from './compile-service.ts'
import type { CompiledBackend, CompiledService, CompiledSet } from './compiled-service.ts'
import { protocolName } from './ip-protocol.ts'
import { tableOf } from './table-of.ts'

export interface BackendJson {
  readonly address: string
  readonly port: number
  readonly protocol: string
  readonly local: boolean
}

export interface SetJson {
  /** Indices into `backends`. */
  readonly backends: readonly number[]
  /** Length of the Maglev table; 0: empty. */
  readonly slots: number
  /** SHA-256 of the table with each slot as its backend's place in `backends` above, u32 little-endian; null when empty. */
  readonly table: string | null
  /** What an empty set answers; null when it is not empty. */
  readonly empty: 'reject' | 'drop' | null
}

export interface FrontendJson {
  readonly address: string
  readonly port: number
  readonly protocol: string
  readonly kind: FrontendKind
  readonly servicePort: string
  /** Indices into `sets`. */
  readonly internal: number
  readonly external: number
  readonly loopback: boolean
  /** Null: everyone. */
  readonly sourceRanges: readonly string[] | null
}

export interface ServiceJson {
  readonly namespace: string
  readonly name: string
  readonly affinityId: string
  readonly affinitySeconds: number
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[]
  readonly frontends: readonly FrontendJson[]
  readonly sets: readonly SetJson[]
  readonly backends: readonly BackendJson[]
}

export interface ImageJson {
  readonly seed: number
  readonly services: readonly ServiceJson[]
}

function setJson(set: CompiledSet, backends: readonly CompiledBackend[], seed: number): SetJson {
  const places = set.backends.map((_, place) => place + 1)
  const table = set.length === 0 ? undefined : tableOf(set, backends, places, seed).map((place) => place - 1)
  return {
    backends: set.backends,
    slots: set.length,
    table: table === undefined ? null : createHash('sha256').update(Buffer.from(table.buffer)).digest('hex'),
    empty: set.length === 0 ? set.empty : null,
  }
}

function serviceJson(service: CompiledService, seed: number): ServiceJson {
  return {
    namespace: service.plan.namespace,
    name: service.plan.name,
    affinityId: service.affinityId.toString(16).padStart(16, '0'),
    affinitySeconds: service.affinitySeconds,
    ports: service.ports.map(({ name, protocol, port }) => ({ name, protocol: protocolName(protocol), port })),
    frontends: service.frontends.map((frontend) => ({
      address: frontend.address,
      port: frontend.port,
      protocol: protocolName(frontend.protocol),
      kind: frontend.kind,
      servicePort: service.ports[frontend.servicePort]?.name ?? '',
      internal: frontend.internal,
      external: frontend.external,
      loopback: frontend.loopback,
      sourceRanges: frontend.sourceRanges ? (service.ports[frontend.servicePort]?.sourceRanges ?? []) : null,
    })),
    sets: service.sets.map((set) => setJson(set, service.backends, seed)),
    backends: service.backends.map(({ address, port, protocol, local }) => ({
      address,
      port,
      protocol: protocolName(protocol),
      local,
    })),
  }
}

/** The image of `plans`, sorted by namespace and name; the same bytes on every node but for what is local by nature. */
export function imageJson(plans: ReadonlyMap<string, ServicePlan>, seed: number): ImageJson {
  const sorted = [...plans].sort(([a], [b]) => (a < b ? -1 : 1))
  return { seed, services: sorted.map(([, plan]) => serviceJson(compileService(plan), seed)) }
}
