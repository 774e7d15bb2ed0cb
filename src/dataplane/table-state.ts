// SPDX-License-Identifier: Apache-2.0
/** What a hash table is known to hold, and who wants each entry. */

import type { HashTable } from './tables.ts'

/** Keys and values are the bytes of the map's own types, one a character (latin1). */
export interface TableEntry {
  readonly value: string
  /** `namespace/name` of the Service that wants it; '' for an entry that several share. */
  readonly owner: string
}

export type TableState = Map<string, TableEntry>

/** Entries that one Service wants: key → value. */
export type WantedEntries = ReadonlyMap<string, string>

export interface TableDiff {
  readonly upserts: Map<string, string>
  readonly deletes: Set<string>
}

export function emptyDiff(): TableDiff {
  return { upserts: new Map(), deletes: new Set() }
}

/** Entries of `wanted` that the table has no room for by key; replacing a value takes none. */
export function additions(state: TableState, wanted: WantedEntries): number {
  let count = 0
  for (const key of wanted.keys()) if (!state.has(key)) count++
  return count
}

/**
 * Makes `wanted` the entries of `owner` and adds what must be written to `diff`. An entry that another owner has taken
 * over meanwhile is left to it.
 *
 * @param before the keys that the owner had until now
 */
export function replaceEntries(
  state: TableState,
  owner: string,
  before: Iterable<string>,
  wanted: WantedEntries,
  diff: TableDiff,
): void {
  for (const [key, value] of wanted) {
    const entry = state.get(key)
    if (entry?.value !== value) diff.upserts.set(key, value)
    if (entry?.value !== value || entry.owner !== owner) state.set(key, { value, owner })
    diff.deletes.delete(key)
  }
  for (const key of before) {
    if (wanted.has(key) || state.get(key)?.owner !== owner) continue
    state.delete(key)
    diff.upserts.delete(key)
    diff.deletes.add(key)
  }
}

function packed(strings: Iterable<string>, count: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(count * size)
  let offset = 0
  for (const text of strings) offset += bytes.write(text, offset, size, 'latin1')
  return bytes
}

/** Writes the diff's new entries to the map, in one batch. */
export function writeUpserts(table: HashTable, upserts: ReadonlyMap<string, string>): void {
  if (upserts.size === 0) return
  const keys = packed(upserts.keys(), upserts.size, table.keySize)
  table.update(keys, packed(upserts.values(), upserts.size, table.valueSize), upserts.size)
}

/** Deletes the diff's old entries from the map, in one batch. */
export function writeDeletes(table: HashTable, deletes: ReadonlySet<string>): void {
  if (deletes.size > 0) table.delete(packed(deletes, deletes.size, table.keySize), deletes.size)
}

/** Bytes as a string of one character each. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** The bytes of such a string. */
export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}
