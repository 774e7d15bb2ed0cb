// SPDX-License-Identifier: Apache-2.0
/** Random choices that a seed repeats. */

import { randomInt } from 'node:crypto'
import process from 'node:process'

/** sfc32 (Chris Doty-Humphrey, PractRand): small, fast, of good quality. */
export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = ~seed
    this.#c = 0x9e3779b9 | 0
    for (let round = 0; round < 12; round++) this.word()
  }

  /** 0…2^32−1. */
  word(): number {
    const out = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + out) | 0
    return out >>> 0
  }

  /** 0…limit−1. */
  below(limit: number): number {
    return Math.floor((this.word() / 0x1_0000_0000) * limit)
  }

  /** Both inclusive. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1)
  }

  chance(probability: number): boolean {
    return this.word() < probability * 0x1_0000_0000
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  /** Some of the items, in their order. */
  some<T>(items: readonly T[], probability: number): T[] {
    return items.filter(() => this.chance(probability))
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256))
  }

  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items]
    for (let last = result.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      ;[result[last], result[other]] = [result[other] as T, result[last] as T]
    }
    return result
  }
}

/** MAGLANE_SEED, or another one each time: a test prints it. */
export function fuzzSeed(): number {
  const given = process.env.MAGLANE_SEED
  return given === undefined ? randomInt(0xffffffff) : Number(given) >>> 0
}
