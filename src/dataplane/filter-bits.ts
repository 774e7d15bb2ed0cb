// SPDX-License-Identifier: Apache-2.0
/** Which bits of the filter are wanted, and by how many. */

import { frontendKeyCodec } from '../abi/generated.ts'
import { decoded } from '../abi/runtime.ts'
import { addressWords } from '../compiler/address-words.ts'
import { filterBit } from '../compiler/hash.ts'
import { bytesOf } from './table-state.ts'

const words = new Uint32Array(4)

/** The bit of a canonical address, a port and a protocol; port and protocol 0 for the address as a whole. */
export function bitOf(address: string, port: number, protocol: number): number {
  return filterBit(addressWords(address, words), port, protocol)
}

/** The bit of 16 address bytes, a port and a protocol. */
export function bitOfBytes(address: Uint8Array, port: number, protocol: number): number {
  const view = new DataView(address.buffer, address.byteOffset, 16)
  for (let i = 0; i < 4; i++) words[i] = view.getUint32(4 * i, true)
  return filterBit(words, port, protocol)
}

/** The bit of a key of the frontends table. */
export function bitOfFrontend(key: string): number {
  const { addr, port, proto } = decoded(frontendKeyCodec, bytesOf(key))
  return bitOfBytes(addr, port, proto)
}

/**
 * Counts who wants a bit. Nothing is cleared here: a bit nobody wants may still be needed by a flow, and programs set
 * bits too; the sweeper clears what neither wants.
 */
export class FilterBits {
  readonly #counts: Uint32Array

  /** @param bits how many the filter has */
  constructor(bits: number) {
    this.#counts = new Uint32Array(bits)
  }

  acquire(bit: number): void {
    this.#counts[bit] = (this.#counts[bit] as number) + 1
  }

  release(bit: number): void {
    const count = this.#counts[bit] as number
    if (count > 0) this.#counts[bit] = count - 1
  }

  /** Bits that somebody wants. */
  *all(): Generator<number, void, undefined> {
    for (let bit = 0; bit < this.#counts.length; bit++) if (this.#counts[bit] !== 0) yield bit
  }

  wanted(bit: number): boolean {
    return this.#counts[bit] !== 0
  }
}

/** Sets a bit; atomic, as programs set others in the same word. */
export function setBit(filter: Uint32Array, bit: number): void {
  const word = bit >>> 5
  const mask = 1 << (bit & 31)
  if (((filter[word] as number) & mask) === 0) Atomics.or(filter, word, mask)
}

/** Clears a bit; atomic likewise. */
export function clearBit(filter: Uint32Array, bit: number): void {
  Atomics.and(filter, bit >>> 5, ~(1 << (bit & 31)))
}
