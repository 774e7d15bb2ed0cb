// SPDX-License-Identifier: Apache-2.0
/** Typed access to hash, LRU hash and LPM trie maps, one entry at a time or in batches. */

import { type Codec, encoded } from '../abi/runtime.ts'
import { check, Errno, isNativeError, NativeError } from '../ffi/check.ts'
import { libbpf } from '../ffi/libbpf.ts'
import { type MapHandle, requireShape } from './map-handle.ts'

/** Entries a system call: a few hundred KiB of buffers, and the cost of the call is spread thin. */
const BATCH_ENTRIES = 4096

/** Not in Node's list: the kernel's own answer for an operation that a map type does not have. */
const ENOTSUPP = 524

/** What `set` does with a key that exists (BPF_ANY) or must not (BPF_NOEXIST) or must exist (BPF_EXIST). */
const updateFlags = { any: 0, create: 1, replace: 2 } as const
export type UpdateMode = keyof typeof updateFlags

/** Entries side by side, as a batch reads and writes them. */
export interface EntryBlock {
  /** `count` keys. */
  readonly keys: Uint8Array
  /** `count` values. */
  readonly values: Uint8Array
  readonly count: number
}

/** A batch that stopped half way. */
export class MapWriteError extends Error {
  override readonly name = 'MapWriteError'
  readonly code = 'E_MAP_WRITE'
  /** Entries of the call that did reach the map; the next one is the one that was refused. */
  readonly written: number
  /** The map has no room left. */
  readonly full: boolean

  constructor(map: MapHandle, written: number, cause: NativeError) {
    const full = cause.code === 'E2BIG'
    const reason = full ? `is full: it holds ${map.maxEntries} entries` : `refused an entry: ${cause.code}`
    super(`map ${map.name} ${reason}; ${written} entries of this write are in it`, { cause })
    this.written = written
    this.full = full
  }
}

/** Absence is `undefined` on read and `false` on delete; every other failure throws {@link NativeError}. */
export class HashMap<K, V> {
  readonly handle: MapHandle
  readonly key: Codec<K>
  readonly value: Codec<V>
  // Reused from call to call: the kernel reads and writes them within the call.
  readonly #keyBytes: Uint8Array
  readonly #keyView: DataView
  readonly #valueBytes: Uint8Array
  readonly #valueView: DataView

  constructor(handle: MapHandle, key: Codec<K>, value: Codec<V>) {
    requireShape(handle, key, value)
    this.handle = handle
    this.key = key
    this.value = value
    this.#keyBytes = new Uint8Array(key.size)
    this.#keyView = new DataView(this.#keyBytes.buffer)
    this.#valueBytes = new Uint8Array(value.size)
    this.#valueView = new DataView(this.#valueBytes.buffer)
  }

  get(key: K): V | undefined {
    this.key.encode(key, this.#keyView, 0)
    const status = libbpf().lookup(this.handle.fd, this.#keyBytes, this.#valueBytes)
    if (status === -Errno.ENOENT) return undefined
    check('bpf_map_lookup_elem', status, this.handle.name)
    return this.value.decode(this.#valueView, 0)
  }

  set(key: K, value: V, mode: UpdateMode = 'any'): void {
    this.key.encode(key, this.#keyView, 0)
    this.value.encode(value, this.#valueView, 0)
    const status = libbpf().update(this.handle.fd, this.#keyBytes, this.#valueBytes, updateFlags[mode])
    check('bpf_map_update_elem', status, this.handle.name)
  }

  /** @returns whether there was such an entry. */
  delete(key: K): boolean {
    this.key.encode(key, this.#keyView, 0)
    const status = libbpf().delete(this.handle.fd, this.#keyBytes)
    if (status === -Errno.ENOENT) return false
    check('bpf_map_delete_elem', status, this.handle.name)
    return true
  }

  /**
   * Writes many entries, in order.
   *
   * @returns how many.
   * @throws {MapWriteError} when one is refused; those before it are written.
   */
  setMany(entries: Iterable<readonly [K, V]>): number {
    let written = 0
    for (const block of this.#encodeBlocks(entries)) {
      try {
        written += this.setBlock(block)
      } catch (error) {
        if (error instanceof MapWriteError)
          throw new MapWriteError(this.handle, written + error.written, error.cause as NativeError)
        throw error
      }
    }
    return written
  }

  /** Writes entries that are bytes already. @throws {MapWriteError} */
  setBlock({ keys, values, count }: EntryBlock): number {
    if (count === 0) return 0
    this.#requireBytes(keys, values, count)
    const done: [number] = [count]
    const status = libbpf().updateBatch(this.handle.fd, keys, values, done, null)
    if (unsupported(status)) return this.#setOneByOne({ keys, values, count })
    if (status < 0) {
      throw new MapWriteError(this.handle, done[0], new NativeError('bpf_map_update_batch', -status, this.handle.name))
    }
    return count
  }

  /** Deletes many entries; those that do not exist are passed over. @returns how many existed. */
  deleteMany(keys: Iterable<K>): number {
    const block = new Uint8Array(BATCH_ENTRIES * this.key.size)
    const view = new DataView(block.buffer)
    let deleted = 0
    let count = 0
    for (const key of keys) {
      this.key.encode(key, view, count++ * this.key.size)
      if (count === BATCH_ENTRIES) {
        deleted += this.deleteBlock(block, count)
        count = 0
      }
    }
    return deleted + this.deleteBlock(block, count)
  }

  /** Deletes entries by keys that are bytes already. @returns how many existed. */
  deleteBlock(keys: Uint8Array, count: number): number {
    let deleted = 0
    for (let start = 0; start < count; ) {
      const rest = keys.subarray(start * this.key.size)
      const done: [number] = [count - start]
      const status = libbpf().deleteBatch(this.handle.fd, rest, done, null)
      if (unsupported(status)) return deleted + this.#deleteOneByOne(rest, count - start)
      if (status !== -Errno.ENOENT) check('bpf_map_delete_batch', status, this.handle.name)
      deleted += done[0]
      // The kernel stops at a key that is missing.
      start += status === -Errno.ENOENT ? done[0] + 1 : done[0]
    }
    return deleted
  }

  /** Deletes everything. @returns how many entries there were. */
  clear(): number {
    let deleted = 0
    for (const block of [...this.blocks()]) deleted += this.deleteBlock(block.keys, block.count)
    return deleted
  }

  /** Deletes everything one by one: for a map that holds a few entries, and is emptied often. @returns how many there were. */
  clearFew(): number {
    for (let deleted = 0; ; deleted++) {
      const status = libbpf().nextKey(this.handle.fd, null, this.#keyBytes)
      if (status === -Errno.ENOENT) return deleted
      check('bpf_map_get_next_key', status, this.handle.name)
      const gone = libbpf().delete(this.handle.fd, this.#keyBytes)
      if (gone !== -Errno.ENOENT) check('bpf_map_delete_elem', gone, this.handle.name)
    }
  }

  /**
   * Reads everything. Entries that are written meanwhile may or may not be seen.
   *
   * In a batch read none is seen twice but when the map is written; the fallback may start over when the entry it
   * stands on is deleted.
   */
  *entries(): Generator<[K, V], void, undefined> {
    for (const { keys, values, count } of this.blocks()) {
      const keyView = viewOf(keys)
      const valueView = viewOf(values)
      for (let index = 0; index < count; index++) {
        yield [this.key.decode(keyView, index * this.key.size), this.value.decode(valueView, index * this.value.size)]
      }
    }
  }

  /** Reads everything as bytes, some thousand entries a block. A block is the caller's to keep. */
  *blocks(): Generator<EntryBlock, void, undefined> {
    // A cursor of the kernel's own making: a bucket number, or a key where the map type has no batches of its own.
    const cursorSize = Math.max(this.key.size, 8)
    let cursor: Uint8Array | null = null
    for (let capacity = BATCH_ENTRIES; ; ) {
      const keys = new Uint8Array(capacity * this.key.size)
      const values = new Uint8Array(capacity * this.value.size)
      const next = new Uint8Array(cursorSize)
      const count: [number] = [capacity]
      const status = libbpf().lookupBatch(this.handle.fd, cursor, next, keys, values, count, null)
      if (cursor === null && unsupported(status)) {
        yield* this.#blocksOneByOne()
        return
      }
      if (status === -Errno.ENOSPC) {
        // One bucket holds more than the buffers do.
        capacity *= 2
        continue
      }
      if (status !== -Errno.ENOENT) check('bpf_map_lookup_batch', status, this.handle.name)
      if (count[0] > 0) yield block(keys, values, count[0], this.key.size, this.value.size)
      if (status === -Errno.ENOENT) return
      cursor = next
    }
  }

  *#blocksOneByOne(): Generator<EntryBlock, void, undefined> {
    const keys: Uint8Array[] = []
    let key: Uint8Array | null = null
    for (;;) {
      const next: Uint8Array = new Uint8Array(this.key.size)
      const status = libbpf().nextKey(this.handle.fd, key, next)
      if (status === -Errno.ENOENT) break
      check('bpf_map_get_next_key', status, this.handle.name)
      keys.push(next)
      // A key that vanished sends the kernel back to the first one.
      if (keys.length > 2 * this.handle.maxEntries) break
      key = next
    }
    for (const each of keys) {
      const value = new Uint8Array(this.value.size)
      const status = libbpf().lookup(this.handle.fd, each, value)
      if (status === -Errno.ENOENT) continue
      check('bpf_map_lookup_elem', status, this.handle.name)
      yield { keys: each, values: value, count: 1 }
    }
  }

  *#encodeBlocks(entries: Iterable<readonly [K, V]>): Generator<EntryBlock, void, undefined> {
    const keys = new Uint8Array(BATCH_ENTRIES * this.key.size)
    const values = new Uint8Array(BATCH_ENTRIES * this.value.size)
    const keyView = viewOf(keys)
    const valueView = viewOf(values)
    let count = 0
    for (const [key, value] of entries) {
      this.key.encode(key, keyView, count * this.key.size)
      this.value.encode(value, valueView, count * this.value.size)
      if (++count === BATCH_ENTRIES) {
        yield { keys, values, count }
        count = 0
      }
    }
    if (count > 0) yield { keys, values, count }
  }

  #setOneByOne({ keys, values, count }: EntryBlock): number {
    for (let index = 0; index < count; index++) {
      const key = keys.subarray(index * this.key.size, (index + 1) * this.key.size)
      const value = values.subarray(index * this.value.size, (index + 1) * this.value.size)
      try {
        check('bpf_map_update_elem', libbpf().update(this.handle.fd, key, value, updateFlags.any), this.handle.name)
      } catch (error) {
        if (isNativeError(error)) throw new MapWriteError(this.handle, index, error)
        throw error
      }
    }
    return count
  }

  #deleteOneByOne(keys: Uint8Array, count: number): number {
    let deleted = 0
    for (let index = 0; index < count; index++) {
      const key = keys.subarray(index * this.key.size, (index + 1) * this.key.size)
      const status = libbpf().delete(this.handle.fd, key)
      if (status === -Errno.ENOENT) continue
      check('bpf_map_delete_elem', status, this.handle.name)
      deleted++
    }
    return deleted
  }

  #requireBytes(keys: Uint8Array, values: Uint8Array, count: number): void {
    if (keys.length < count * this.key.size || values.length < count * this.value.size) {
      throw new RangeError(`map ${this.handle.name}: the block holds fewer than ${count} entries`)
    }
  }
}

/** The entry's bytes, for {@link HashMap.setBlock}. */
export function entryBlock<K, V>(map: HashMap<K, V>, key: K, value: V): EntryBlock {
  return { keys: encoded(map.key, key), values: encoded(map.value, value), count: 1 }
}

function block(keys: Uint8Array, values: Uint8Array, count: number, keySize: number, valueSize: number): EntryBlock {
  return { keys: keys.subarray(0, count * keySize), values: values.subarray(0, count * valueSize), count }
}

function unsupported(status: number): boolean {
  return status === -ENOTSUPP || status === -Errno.EOPNOTSUPP
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
