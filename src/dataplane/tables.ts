// SPDX-License-Identifier: Apache-2.0
/** The maps as the dataplane writes them: hash tables of bytes, and arrays that are mapped into this process. */

/** Hash tables whose whole content the control plane decides, by the names of their maps. */
export const tableNames = ['services', 'members', 'source_ranges', 'frontends'] as const
export type TableName = (typeof tableNames)[number]

/** A map of fixed-size keys and values. Every write may be repeated. */
export interface HashTable {
  readonly capacity: number
  readonly keySize: number
  readonly valueSize: number
  /** Inserts or replaces `count` entries that lie one after the other. */
  update(keys: Uint8Array, values: Uint8Array, count: number): void
  /** Deletes `count` keys; missing ones are no fault. */
  delete(keys: Uint8Array, count: number): void
  entries(): Iterable<readonly [key: Uint8Array, value: Uint8Array]>
}

export interface Tables extends Readonly<Record<TableName, HashTable>> {
  /** How many elements `backends` has. */
  readonly backendLimit: number
  /** struct backend by id. */
  readonly backends: Uint8Array
  /** Backend ids by slot. */
  readonly arena: Uint32Array
  /** The filter's bits, 32 a word; programs set bits at the same time. */
  readonly filter: Uint32Array
  /** Ids that service_stats has room for. */
  readonly serviceLimit: number
  /** Zeroes the counters of service ids that had another owner. */
  resetStats(ids: readonly number[]): void
}
