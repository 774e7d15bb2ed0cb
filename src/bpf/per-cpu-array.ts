// SPDX-License-Identifier: Apache-2.0
/** Typed access to per-CPU arrays of counters. */

import type { Codec } from '../abi/runtime.ts'
import { check, Errno } from '../ffi/check.ts'
import { libbpf } from '../ffi/libbpf.ts'
import { type MapHandle, MapShapeError, requireShape } from './map-handle.ts'
import { possibleCpus } from './possible-cpus.ts'

/** Elements a system call. */
const BATCH_ELEMENTS = 2048

/** A struct of counters, each a number or a bigint. */
export class PerCpuArray<V> {
  readonly handle: MapHandle
  readonly value: Codec<V>
  readonly #cpus = possibleCpus()
  /** The kernel aligns each CPU's value to 8. */
  readonly #stride: number

  constructor(handle: MapHandle, value: Codec<V>) {
    requireShape(handle, undefined, value)
    this.handle = handle
    this.value = value
    this.#stride = (value.size + 7) & ~7
  }

  get length(): number {
    return this.handle.maxEntries
  }

  /** One value for each possible CPU. */
  get(index: number): readonly V[] {
    const view = this.#read(index)
    return Array.from({ length: this.#cpus }, (_, cpu) => this.value.decode(view, cpu * this.#stride))
  }

  /** The counters added over all CPUs. */
  sum(index: number): V {
    return this.#sumAt(this.#read(index), 0)
  }

  /** Sums of all elements by index, in one pass. */
  *sums(): Generator<[index: number, sum: V], void, undefined> {
    const size = this.#stride * this.#cpus
    let cursor: Uint8Array | null = null
    for (;;) {
      const keys = new Uint8Array(BATCH_ELEMENTS * 4)
      const values = new Uint8Array(BATCH_ELEMENTS * size)
      const next = new Uint8Array(8)
      const count: [number] = [BATCH_ELEMENTS]
      const status = libbpf().lookupBatch(this.handle.fd, cursor, next, keys, values, count, null)
      if (status !== -Errno.ENOENT) check('bpf_map_lookup_batch', status, this.handle.name)
      const indices = new Uint32Array(keys.buffer)
      const view = new DataView(values.buffer)
      for (let item = 0; item < count[0]; item++) yield [indices[item]!, this.#sumAt(view, item * size)]
      if (status === -Errno.ENOENT) return
      cursor = next
    }
  }

  /** Sets an element to zero on every CPU: before its index gets a new meaning. */
  clear(index: number): void {
    const zero = new Uint8Array(this.#stride * this.#cpus)
    check('bpf_map_update_elem', libbpf().update(this.handle.fd, this.#key(index), zero, 0), this.handle.name)
  }

  #read(index: number): DataView {
    const bytes = new Uint8Array(this.#stride * this.#cpus)
    check('bpf_map_lookup_elem', libbpf().lookup(this.handle.fd, this.#key(index), bytes), this.handle.name)
    return new DataView(bytes.buffer)
  }

  #key(index: number): Uint8Array {
    return new Uint8Array(Uint32Array.of(index).buffer)
  }

  #sumAt(view: DataView, offset: number): V {
    const total: Record<string, unknown> = {}
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      for (const [name, value] of Object.entries(this.value.decode(view, offset + cpu * this.#stride) as object)) {
        total[name] = added(total[name], value, `${this.value.name}.${name}`)
      }
    }
    return total as V
  }
}

function added(total: unknown, value: unknown, name: string): number | bigint {
  if (typeof value === 'bigint') return ((total as bigint | undefined) ?? 0n) + value
  if (typeof value === 'number') return ((total as number | undefined) ?? 0) + value
  throw new MapShapeError(`${name} is no counter`)
}
