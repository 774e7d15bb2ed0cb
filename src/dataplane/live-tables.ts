// SPDX-License-Identifier: Apache-2.0
/** The kernel's maps as the dataplane's {@link Tables}. */

import type { HashMap } from '../bpf/hash-map.ts'
import type { Maps } from '../bpf/maps.ts'
import type { HashTable, Tables } from './tables.ts'

function hashTable<K, V>(map: HashMap<K, V>): HashTable {
  const keySize = map.key.size
  const valueSize = map.value.size
  return {
    capacity: map.handle.maxEntries,
    keySize,
    valueSize,
    update: (keys, values, count) => void map.setBlock({ keys, values, count }),
    delete: (keys, count) => void map.deleteBlock(keys, count),
    *entries() {
      for (const { keys, values, count } of map.blocks()) {
        for (let i = 0; i < count; i++) {
          yield [
            keys.subarray(i * keySize, (i + 1) * keySize),
            values.subarray(i * valueSize, (i + 1) * valueSize),
          ] as const
        }
      }
    },
  }
}

/** Wraps open maps; they must stay open and writable as long as the result is used. */
export function liveTables(maps: Maps): Tables {
  return {
    services: hashTable(maps.services),
    members: hashTable(maps.members),
    source_ranges: hashTable(maps.source_ranges),
    frontends: hashTable(maps.frontends),
    backendLimit: maps.backends.length,
    backends: maps.backends.bytes,
    arena: maps.arena.words,
    filter: maps.filter.words,
    serviceLimit: maps.service_stats.length,
    resetStats(ids) {
      for (const id of ids) maps.service_stats.clear(id)
    },
  }
}
