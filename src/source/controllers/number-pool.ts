// SPDX-License-Identifier: Apache-2.0
/**
 * Numbers of a range, handed out by a hash of who asks: every node that sees the same objects chooses the same number
 * without talking to the others.
 */
import { createHash } from 'node:crypto'

export class NumberPool {
  readonly #taken = new Set<number>()
  readonly #size: number
  readonly #reserved: number

  /**
   * @param size Numbers from 0 to size − 1.
   * @param reserved The first so many are handed out last, so that people may pick them by hand (KEP-3070, KEP-3668).
   */
  constructor(size: number, reserved = 0) {
    this.#size = size
    this.#reserved = Math.min(reserved, size - 1)
  }

  /** Marks a number as used; false when it was, or lies outside. */
  take(number: number): boolean {
    if (number < 0 || number >= this.#size || this.#taken.has(number)) return false
    this.#taken.add(number)
    return true
  }

  /** The first free number from the asker's own place on; undefined when none is left. */
  allocate(asker: string): number | undefined {
    const upper = this.#size - this.#reserved
    const start = createHash('sha256').update(asker).digest().readUInt32BE(0) % upper
    for (let step = 0; step < upper; step++) {
      const number = this.#reserved + ((start + step) % upper)
      if (this.take(number)) return number
    }
    for (let number = this.#reserved - 1; number >= 0; number--) if (this.take(number)) return number
    return undefined
  }
}
