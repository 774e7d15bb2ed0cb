// SPDX-License-Identifier: Apache-2.0
/** Tables in memory whose writes can be made to fail: for the faults that a kernel does not show on demand. */

import { mapSpecs } from '../../src/abi/generated.ts'
import { textOf } from '../../src/dataplane/table-state.ts'
import type { HashTable, Tables } from '../../src/dataplane/tables.ts'

export interface MemoryTables extends Tables {
  /** Called before each write of a hash table; what it throws the write throws, half done. */
  fault: ((table: string, operation: 'update' | 'delete') => void) | undefined
  /** Names of the writes in their order. */
  readonly log: string[]
}

function memoryTable(
  name: 'services' | 'members' | 'source_ranges' | 'frontends',
  capacity: number,
  tables: () => MemoryTables,
): HashTable {
  const { key, value } = mapSpecs[name]
  const content = new Map<string, Uint8Array>()
  const write = (operation: 'update' | 'delete', count: number, each: (index: number) => void) => {
    tables().log.push(`${operation} ${name}`)
    for (let i = 0; i < count; i++) {
      if (i === Math.floor(count / 2)) tables().fault?.(name, operation)
      each(i)
    }
  }
  return {
    capacity,
    keySize: key.size,
    valueSize: value.size,
    update: (keys, values, count) =>
      write('update', count, (i) => {
        const text = textOf(keys.subarray(i * key.size, (i + 1) * key.size))
        if (!content.has(text) && content.size >= capacity) throw new Error(`${name} is full`)
        content.set(text, values.slice(i * value.size, (i + 1) * value.size))
      }),
    delete: (keys, count) =>
      write('delete', count, (i) => void content.delete(textOf(keys.subarray(i * key.size, (i + 1) * key.size)))),
    *entries() {
      for (const [text, bytes] of content) yield [Buffer.from(text, 'latin1'), bytes] as const
    },
  }
}

export function memoryTables(sizes: { slots?: number; backends?: number; frontends?: number } = {}): MemoryTables {
  const { slots = 65536, backends = 1024, frontends = 1024 } = sizes
  const tables: MemoryTables = {
    services: memoryTable('services', 1024, () => tables),
    members: memoryTable('members', 1024, () => tables),
    source_ranges: memoryTable('source_ranges', 1024, () => tables),
    frontends: memoryTable('frontends', frontends, () => tables),
    backendLimit: backends,
    backends: new Uint8Array(backends * mapSpecs.backends.value.size),
    arena: new Uint32Array(slots),
    filter: new Uint32Array(32768),
    serviceLimit: 1024,
    resetStats: (ids) => void tables.log.push(`reset ${ids.length}`),
    fault: undefined,
    log: [],
  }
  return tables
}
