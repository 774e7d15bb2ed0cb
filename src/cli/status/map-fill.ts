// SPDX-License-Identifier: Apache-2.0
/** How full an instance's maps are, and how much memory they take at most. */

import { type BackendSet, Limits, mapSpecs } from '../../abi/generated.ts'
import { HashMap } from '../../bpf/hash-map.ts'
import type { MapName, Maps } from '../../bpf/maps.ts'
import { mapMemory } from '../../bpf/memory.ts'
import { presentBackends } from '../views/backends.ts'

export interface MapRow {
  readonly map: string
  /** null: the map is not one that fills. */
  readonly used: number | null
  /** Elements; bits of the filter; slots of the arena; bytes of a ring buffer. */
  readonly capacity: number
  /** Bytes when it is full. */
  readonly memoryBytes: number
}

export function readMapFill(maps: Maps): MapRow[] {
  return (Object.keys(mapSpecs) as MapName[]).map((name) => {
    const { handle } = maps[name]
    return { map: name, used: used(maps, name), capacity: capacity(maps, name), memoryBytes: mapMemory(handle) }
  })
}

function capacity(maps: Maps, name: MapName): number {
  const { maxEntries, valueSize } = maps[name].handle
  switch (name) {
    case 'filter':
      return valueSize * 8
    case 'arena':
      return maxEntries * Limits.ARENA_SLOTS
    default:
      return maxEntries
  }
}

function used(maps: Maps, name: MapName): number | null {
  const map: unknown = maps[name]
  if (map instanceof HashMap) return countEntries(map as HashMap<unknown, unknown>)
  switch (name) {
    case 'backends':
      return [...presentBackends(maps.backends)].length
    case 'arena':
      return usedSlots(maps)
    case 'filter':
      return countBits(maps.filter.words)
    default:
      return null
  }
}

function countEntries(map: Pick<HashMap<unknown, unknown>, 'blocks'>): number {
  let count = 0
  for (const block of map.blocks()) count += block.count
  return count
}

/** Slots that frontends lead to; tables that rest before reuse are not known here. */
function usedSlots({ frontends }: Maps): number {
  const regions = new Map<number, number>()
  for (const [, { sets }] of frontends.entries()) {
    for (const { offset, slots } of sets as readonly BackendSet[]) if (slots > 0) regions.set(offset, slots)
  }
  return [...regions.values()].reduce((sum, slots) => sum + slots, 0)
}

function countBits(words: Uint32Array): number {
  let count = 0
  for (const word of words) for (let rest = word; rest !== 0; rest &= rest - 1) count++
  return count
}
