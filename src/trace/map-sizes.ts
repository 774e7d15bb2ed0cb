// SPDX-License-Identifier: Apache-2.0
/** Maps that are as large as a trace needs them: their default size is a cluster's, and the kernel zeroes what it is asked for. */

import { Limits } from '../abi/generated.ts'
import type { MapName } from '../bpf/maps.ts'
import { compileService } from '../compiler/compile-service.ts'
import type { CompiledService } from '../compiler/compiled-service.ts'
import type { ServicePlan } from '../model/types.ts'

/** Entries that packets make are deleted after each. An LRU map hands its free entries out to CPUs in lots of 128. */
const LRU_ENTRIES = 256

export const scratchSizes = {
  flows: LRU_ENTRIES,
  frags: LRU_ENTRIES,
  affinities: LRU_ENTRIES,
  sockets: LRU_ENTRIES,
  devices: 16,
  // A page and a power of two; one event is there at a time.
  events: 65_536,
} as const satisfies Partial<Record<MapName, number>>

/** Room for the plans, and for ids, which begin at 1. */
export function mapSizes(plans: Iterable<ServicePlan>): Partial<Record<MapName, number>> {
  const services = Array.from(plans, compileService)
  const total = (count: (service: CompiledService) => number) => services.reduce((sum, each) => sum + count(each), 1)
  const ports = total(({ ports }) => ports.length)
  return {
    ...scratchSizes,
    services: ports,
    service_stats: ports + 1,
    backends: total(({ backends }) => backends.length) + 1,
    arena: Math.ceil(total(({ sets }) => sets.reduce((sum, { length }) => sum + length, 0)) / Limits.ARENA_SLOTS),
    members: total(({ sets }) => sets.reduce((sum, { backends }) => sum + backends.length, 0)),
    source_ranges: total(({ ports }) => ports.reduce((sum, { sourceRanges }) => sum + (sourceRanges?.length ?? 0), 0)),
    frontends: total(
      ({ frontends, plan }) => frontends.length + plan.clusterIPs.length + plan.externalAddresses.length,
    ),
  }
}
