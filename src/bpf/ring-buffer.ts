// SPDX-License-Identifier: Apache-2.0
/** Reads the records of a BPF ring buffer (Documentation/bpf/ringbuf.rst) through its mapping. */

import type { Codec } from '../abi/runtime.ts'
import { type MappedMemory, mapFile, pageSize } from '../ffi/libc.ts'
import { readable } from '../ffi/readable.ts'
import type { MapHandle } from './map-handle.ts'
import { MapShapeError } from './map-handle.ts'

// linux/bpf.h: the upper bits of a record's length.
const BUSY = 0x8000_0000
const DISCARD = 0x4000_0000
const LENGTH = 0x3fff_ffff
const HEADER_BYTES = 8

/** A ring buffer has one reader at a time: its position stands in the map itself. */
export class RingBuffer<T> {
  readonly handle: MapHandle
  readonly record: Codec<T>
  readonly #consumer: MappedMemory
  readonly #producer: MappedMemory
  readonly #consumed: BigUint64Array
  readonly #produced: BigUint64Array
  readonly #headers: Uint32Array
  readonly #data: DataView

  constructor(handle: MapHandle, record: Codec<T>) {
    this.handle = handle
    this.record = record
    const page = pageSize()
    // The kernel maps the data twice in a row, so that a record that wraps is in one piece.
    this.#consumer = mapFile(handle.fd, page, { writable: true }, `map ${handle.name}`)
    this.#producer = mapFile(
      handle.fd,
      page + 2 * handle.maxEntries,
      { writable: false, offset: page },
      `map ${handle.name}`,
    )
    this.#consumed = new BigUint64Array(this.#consumer.bytes, 0, 1)
    this.#produced = new BigUint64Array(this.#producer.bytes, 0, 1)
    this.#headers = new Uint32Array(this.#producer.bytes, page)
    this.#data = new DataView(this.#producer.bytes, page)
  }

  /**
   * Takes what is there, oldest first, without waiting.
   *
   * @param limit At most so many records.
   * @throws {MapShapeError} for a record that is shorter than the codec's type.
   */
  drain(limit = Number.POSITIVE_INFINITY): T[] {
    const records: T[] = []
    const mask = this.handle.maxEntries - 1
    // Atomics order the reads as the kernel's smp_load_acquire() and smp_store_release() want it.
    let position = Atomics.load(this.#consumed, 0)
    while (records.length < limit && position < Atomics.load(this.#produced, 0)) {
      const offset = Number(position & BigInt(mask))
      const header = Atomics.load(this.#headers, offset / 4)
      // Reserved and not yet submitted: later ones wait behind it.
      if (header & BUSY) break
      const length = header & LENGTH
      position += BigInt((HEADER_BYTES + length + 7) & ~7)
      if (!(header & DISCARD)) {
        if (length < this.record.size) {
          Atomics.store(this.#consumed, 0, position)
          throw new MapShapeError(
            `map ${this.handle.name}: a record has ${length} bytes, ${this.record.name} has ${this.record.size}`,
          )
        }
        records.push(this.record.decode(this.#data, offset + HEADER_BYTES))
      }
      Atomics.store(this.#consumed, 0, position)
    }
    return records
  }

  /** Yields what arrives until `signal` aborts; sleeps in between. */
  async *records(signal: AbortSignal): AsyncGenerator<readonly T[], void, undefined> {
    const first = this.drain()
    if (first.length > 0) yield first
    for await (const _ of readable(this.handle.fd, signal)) {
      const batch = this.drain()
      if (batch.length > 0) yield batch
    }
  }

  /** Releases the mapping; the map lives on. */
  unmap(): void {
    this.#consumer.unmap()
    this.#producer.unmap()
  }
}
