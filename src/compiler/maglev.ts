// SPDX-License-Identifier: Apache-2.0
/** Maglev's lookup table: which backend a slot names (Eisenbud et al., NSDI 2016, 3.4). */

import { nextPrime } from './prime.ts'

/** Slots a backend at least: the counts of two backends differ by one slot at most, so 100 keep them within 1 %. */
const SLOTS_PER_BACKEND = 100

/** Sets of 2…4 backends share a length. */
const SMALLEST_STEP = 4

const lengths = new Map<number, number>()

/**
 * `n` rounded up to 4, 6, 8, 12, 16, 24, …: powers of two and the middles between them.
 *
 * A table's whole content depends on its length, so a length that followed every change of `n` would move every client at
 * every change. Within a step only the slots of the backend that came or went move, and they are rewritten in place.
 */
function step(n: number): number {
  let power = SMALLEST_STEP
  while (power < n) power *= 2
  const middle = (power / 4) * 3
  return power > SMALLEST_STEP && n <= middle ? middle : power
}

/** Length M of the table of a set with `n` backends: a prime ≥ 100 n, a function of `n` alone; 1 for one, 0 for none. */
export function tableLength(n: number): number {
  if (n <= 1) return n
  const steps = step(n)
  let length = lengths.get(steps)
  if (length === undefined) {
    length = nextPrime(steps * SLOTS_PER_BACKEND)
    lengths.set(steps, length)
  }
  return length
}

let next = new Uint32Array(64)
let skips = new Uint32Array(64)

/** The integer below `limit` that lies where `hash` lies below 2^32. */
function scale(hash: number, limit: number): number {
  return Math.floor((hash / 0x1_0000_0000) * limit)
}

/**
 * Fills the first `length` slots of `table`. Every backend in turn takes the next free slot of its own permutation, so
 * that the counts of any two differ by one at most and no slot stays empty.
 *
 * @param ids what is written for each backend; never 0, which marks a free slot while the table is filled
 * @param hashes two words for each backend, in the order of `ids`
 * @param length a prime not below the number of backends, or 1
 */
export function fillTable(table: Uint32Array, length: number, ids: ArrayLike<number>, hashes: Uint32Array): void {
  const n = ids.length
  if (n === 0) return
  if (n > next.length) {
    next = new Uint32Array(n * 2)
    skips = new Uint32Array(n * 2)
  }
  for (let i = 0; i < n; i++) {
    next[i] = scale(hashes[2 * i] as number, length)
    skips[i] = length > 2 ? 1 + scale(hashes[2 * i + 1] as number, length - 1) : 1
  }
  table.fill(0, 0, length)
  let filled = 0
  for (;;) {
    for (let i = 0; i < n; i++) {
      // The step modulo the length, without a branch that no predictor could learn: it is half of the whole cost.
      const skip = ((skips[i] as number) - length) | 0
      let slot = (next[i] as number) | 0
      while (table[slot] !== 0) {
        slot = (slot + skip) | 0
        slot = (slot + (length & (slot >> 31))) | 0
      }
      table[slot] = ids[i] as number
      if (++filled === length) return
      slot = (slot + skip) | 0
      next[i] = slot + (length & (slot >> 31))
    }
  }
}
