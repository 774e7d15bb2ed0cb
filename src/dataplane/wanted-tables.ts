// SPDX-License-Identifier: Apache-2.0
/** The entries of the hash tables that a linked Service wants. */

import type { CompiledFrontend, CompiledPort, CompiledService } from '../compiler/compiled-service.ts'
import {
  frontendValue,
  memberKey,
  memberValue,
  serviceNameKey,
  serviceNameValue,
  sourceRangeKey,
  sourceRangeValue,
} from './entries.ts'
import type { LinkedService } from './linked-service.ts'
import type { WantedEntries } from './table-state.ts'
import type { TableName } from './tables.ts'

export type WantedTables = Readonly<Record<TableName, WantedEntries>>

const none: WantedEntries = new Map()

/** Of a Service that is gone. */
export const wantedByNobody: WantedTables = { services: none, members: none, source_ranges: none, frontends: none }

/** The first of several ports of one address stands for it: affinity remembers the address alone. */
function members(linked: LinkedService): WantedEntries {
  if (linked.sets.every((set) => set.id === 0)) return none
  const addresses = new Map(linked.backendIds.map((id, index) => [id, linked.backends[index]?.address ?? '']))
  const entries = new Map<string, string>()
  for (const set of linked.sets) {
    if (set.id === 0) continue
    for (const id of set.backends ?? []) {
      const key = memberKey(set.id, addresses.get(id) as string)
      if (!entries.has(key)) entries.set(key, memberValue(id))
    }
  }
  return entries
}

function sourceRanges(linked: LinkedService, ports: readonly CompiledPort[]): WantedEntries {
  if (ports.every((port) => port.sourceRanges === undefined)) return none
  const entries = new Map<string, string>()
  for (const port of ports) {
    const id = linked.ports.get(port.name) as number
    for (const range of port.sourceRanges ?? []) entries.set(sourceRangeKey(id, range), sourceRangeValue)
  }
  return entries
}

function frontends(linked: LinkedService, compiled: CompiledService): WantedEntries {
  const entries = new Map<string, string>()
  linked.frontends.forEach(({ key, internal, external }, index) => {
    const { servicePort, kind, scoped, loopback, sourceRanges } = compiled.frontends[index] as CompiledFrontend
    // The model orders frontends by precedence: the first of two that meet stays.
    if (entries.has(key)) return
    const service = linked.ports.get(compiled.ports[servicePort]?.name ?? '') as number
    const { affinityId, affinitySeconds } = compiled
    entries.set(
      key,
      frontendValue({ service, kind, affinityId, affinitySeconds, scoped, loopback, sourceRanges, internal, external }),
    )
  })
  return entries
}

/**
 * The entries of one Service, but for those of whole addresses, which Services may share.
 *
 * @throws AbiValueError, AddressError for what the maps cannot express
 */
export function wantedTables(linked: LinkedService, compiled: CompiledService): WantedTables {
  const { namespace, name } = compiled.plan
  const services = new Map<string, string>()
  for (const [portName, id] of linked.ports)
    services.set(serviceNameKey(id), serviceNameValue(namespace, name, portName))
  return {
    services,
    members: members(linked),
    source_ranges: sourceRanges(linked, compiled.ports),
    frontends: frontends(linked, compiled),
  }
}
