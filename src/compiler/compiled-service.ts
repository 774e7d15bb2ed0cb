// SPDX-License-Identifier: Apache-2.0
/** What a Service compiles to, before ids and places in the arena are given: the same on every node but for `local`. */

import type { FrontendKind, ServicePlan } from '../model/types.ts'

/** A port of a Service; it gets an id of its own. */
export interface CompiledPort {
  readonly name: string
  /** IPPROTO_*. */
  readonly protocol: number
  readonly port: number
  /** Sorted CIDRs that may reach the port's load balancer addresses. Undefined: everyone; empty: nobody. */
  readonly sourceRanges: readonly string[] | undefined
}

/** An endpoint of a Service, for one protocol; it gets an id of its own. */
export interface CompiledBackend {
  /** IPPROTO_*. */
  readonly protocol: number
  readonly address: string
  readonly port: number
  readonly local: boolean
}

/** A backend set; frontends with the same backends share it and its table. */
export interface CompiledSet {
  /** Indices into the Service's backends, in the order that the table is filled in. */
  readonly backends: readonly number[]
  /** Slots of the table; 0: the set is empty. */
  readonly length: number
  /** What an empty set does. */
  readonly empty: 'reject' | 'drop'
}

export interface CompiledFrontend {
  readonly address: string
  readonly port: number
  readonly protocol: number
  readonly kind: FrontendKind
  /** Index into the Service's ports. */
  readonly servicePort: number
  /** Indices into the Service's sets. */
  readonly internal: number
  readonly external: number
  /** Clients outside are under a policy of their own, even where both come to the same backends. */
  readonly scoped: boolean
  readonly loopback: boolean
  readonly sourceRanges: boolean
}

export interface CompiledService {
  /** `namespace/name`. */
  readonly key: string
  readonly plan: ServicePlan
  readonly affinityId: bigint
  /** 0: no affinity. */
  readonly affinitySeconds: number
  readonly ports: readonly CompiledPort[]
  readonly backends: readonly CompiledBackend[]
  readonly sets: readonly CompiledSet[]
  readonly frontends: readonly CompiledFrontend[]
}
