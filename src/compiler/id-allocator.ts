// SPDX-License-Identifier: Apache-2.0
/** Numbers 1…limit−1, each given to one owner at a time, and to the next only after a rest. */

interface Resting {
  readonly id: number
  readonly untilMs: number
}

export interface IdAllocatorOptions {
  /** Ids stay below it: the `max_entries` of the map that they index. */
  readonly limit: number
  /** How long a released id rests, so that no packet and no flow still means its former owner. */
  readonly graceMs: number
  readonly now: () => number
}

/** Allocates ids; 0 is never given. Restored ids are claimed before the first allocation. */
export class IdAllocator {
  readonly #limit: number
  readonly #graceMs: number
  readonly #now: () => number
  readonly #used = new Set<number>()
  readonly #free: number[] = []
  readonly #restingIds = new Set<number>()
  #resting: Resting[] = []
  #restingFrom = 0
  #next = 1

  constructor(options: IdAllocatorOptions) {
    this.#limit = options.limit
    this.#graceMs = options.graceMs
    this.#now = options.now
  }

  /** Ids in use. */
  get size(): number {
    return this.#used.size
  }

  /** Marks an id as in use by what was found in the maps; false when it is out of range or taken. */
  claim(id: number): boolean {
    if (id < 1 || id >= this.#limit || this.#used.has(id)) return false
    this.#used.add(id)
    return true
  }

  /** An id, or undefined when all are in use or resting. */
  take(): number | undefined {
    this.#wake()
    let id = this.#free.pop()
    while (id !== undefined && this.#busy(id)) id = this.#free.pop()
    if (id === undefined) {
      while (this.#next < this.#limit && this.#busy(this.#next)) this.#next++
      if (this.#next >= this.#limit) return undefined
      id = this.#next++
    }
    this.#used.add(id)
    return id
  }

  /** Ends an id's use; it rests before it is given again. */
  release(id: number): void {
    if (!this.#used.delete(id)) return
    this.#rest(id)
  }

  /** Takes an id back whose owner was never seen by a program. */
  cancel(id: number): void {
    if (this.#used.delete(id)) this.#free.push(id)
  }

  /** Lets an id rest that was found in the maps without an owner. */
  quarantine(id: number): void {
    if (id >= 1 && id < this.#limit && !this.#busy(id)) this.#rest(id)
  }

  #busy(id: number): boolean {
    return this.#used.has(id) || this.#restingIds.has(id)
  }

  #rest(id: number): void {
    this.#restingIds.add(id)
    this.#resting.push({ id, untilMs: this.#now() + this.#graceMs })
  }

  #wake(): void {
    const nowMs = this.#now()
    let item = this.#resting[this.#restingFrom]
    while (item !== undefined && item.untilMs <= nowMs) {
      this.#restingIds.delete(item.id)
      this.#free.push(item.id)
      item = this.#resting[++this.#restingFrom]
    }
    if (this.#restingFrom > 1024 && this.#restingFrom * 2 > this.#resting.length) {
      this.#resting = this.#resting.slice(this.#restingFrom)
      this.#restingFrom = 0
    }
  }
}
