// SPDX-License-Identifier: Apache-2.0
/** Typed access to arrays that are mapped into the process (BPF_F_MMAPABLE): a store is at once what programs read. */

import { AbiValueError, type Codec } from '../abi/runtime.ts'
import { type MappedMemory, mapFile, pageSize } from '../ffi/libc.ts'
import { type MapHandle, requireShape } from './map-handle.ts'

/** Must be unmapped before its bytes' last user is gone; views that are kept beyond that crash the process. */
export class MmapArray<V> {
  readonly handle: MapHandle
  readonly value: Codec<V>
  /** Bytes from one element to the next: the kernel aligns elements to 8. */
  readonly stride: number
  /** The elements, and nothing behind them. */
  readonly bytes: Uint8Array
  /** The same memory; element i starts at byte `i * stride`. */
  readonly view: DataView
  /** The same memory as aligned words: a store to one is whole for any reader. Element i starts at word `i * stride / 4`. */
  readonly words: Uint32Array
  readonly #memory: MappedMemory

  /** @param options.writable False for tools that only look. */
  constructor(handle: MapHandle, value: Codec<V>, options: { readonly writable: boolean } = { writable: true }) {
    requireShape(handle, undefined, value)
    this.handle = handle
    this.value = value
    this.stride = (value.size + 7) & ~7
    const size = this.stride * handle.maxEntries
    const page = pageSize()
    this.#memory = mapFile(handle.fd, Math.ceil(size / page) * page, options, `map ${handle.name}`)
    this.bytes = new Uint8Array(this.#memory.bytes, 0, size)
    this.view = new DataView(this.#memory.bytes, 0, size)
    this.words = new Uint32Array(this.#memory.bytes, 0, size / 4)
  }

  get length(): number {
    return this.handle.maxEntries
  }

  get(index: number): V {
    return this.value.decode(this.view, this.#offset(index))
  }

  /** Not atomic: a program may read the element half written, so nothing may name it yet. */
  set(index: number, value: V): void {
    this.value.encode(value, this.view, this.#offset(index))
  }

  /** Releases the mapping; the map lives on. */
  unmap(): void {
    this.#memory.unmap()
  }

  #offset(index: number): number {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) {
      throw new AbiValueError(`map ${this.handle.name} has ${this.length} elements, none at ${index}`)
    }
    return index * this.stride
  }
}
