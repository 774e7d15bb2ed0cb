// SPDX-License-Identifier: Apache-2.0
/** Regions of slots within the arena, the array that holds all Maglev tables. */

/** A run of slots; `length` is at least 1. */
export interface Region {
  readonly offset: number
  readonly length: number
}

/** Where `value` stands, or belongs, in the ascending `list`. */
function lowerBound(list: readonly number[], value: number): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((list[middle] as number) < value) low = middle + 1
    else high = middle
  }
  return low
}

export interface ArenaOptions {
  /** Slots in all. */
  readonly slots: number
  /** How long a freed region rests, so that no packet still reads it. */
  readonly graceMs: number
  readonly now: () => number
}

/** Best-fit allocator whose freed regions rest, then merge with free neighbours. */
export class Arena {
  readonly #graceMs: number
  readonly #now: () => number
  readonly #byOffset = new Map<number, number>()
  readonly #byEnd = new Map<number, number>()
  readonly #bySize = new Map<number, Set<number>>()
  /** The distinct lengths of free blocks, ascending: few, as tables come in few lengths. */
  readonly #sizes: number[] = []
  #resting: { readonly region: Region; readonly untilMs: number }[] = []
  #used = 0

  constructor(options: ArenaOptions) {
    this.#graceMs = options.graceMs
    this.#now = options.now
    if (options.slots > 0) this.#insert(0, options.slots)
  }

  /** Slots in use or resting. */
  get used(): number {
    return this.#used
  }

  /** A region of `length` slots, or undefined when no free run is long enough. */
  allocate(length: number): Region | undefined {
    this.#wake()
    const size = this.#sizes[lowerBound(this.#sizes, length)]
    if (size === undefined) return undefined
    const [offset] = this.#bySize.get(size) as Set<number>
    return this.#carve(offset as number, size, { offset: offset as number, length })
  }

  /** Marks a region as in use by what was found in the maps; false when a part of it is not free. O(free blocks). */
  claim(region: Region): boolean {
    for (const [offset, size] of this.#byOffset) {
      if (offset <= region.offset && region.offset + region.length <= offset + size) {
        this.#carve(offset, size, region)
        return true
      }
    }
    return false
  }

  /** Ends a region's use after the grace period. */
  free(region: Region): void {
    this.#resting.push({ region, untilMs: this.#now() + this.#graceMs })
  }

  /** Takes a region back at once that no program has been shown. */
  cancel(region: Region): void {
    this.#release(region)
  }

  #carve(offset: number, size: number, region: Region): Region {
    this.#remove(offset, size)
    if (region.offset > offset) this.#insert(offset, region.offset - offset)
    const end = region.offset + region.length
    if (end < offset + size) this.#insert(end, offset + size - end)
    this.#used += region.length
    return region
  }

  #wake(): void {
    const nowMs = this.#now()
    let ripe = 0
    for (const { region, untilMs } of this.#resting) {
      if (untilMs > nowMs) break
      this.#release(region)
      ripe++
    }
    if (ripe > 0) this.#resting = this.#resting.slice(ripe)
  }

  #release(region: Region): void {
    let { offset, length } = region
    this.#used -= length
    const before = this.#byEnd.get(offset)
    if (before !== undefined) {
      this.#remove(before, offset - before)
      length += offset - before
      offset = before
    }
    const after = this.#byOffset.get(offset + length)
    if (after !== undefined) {
      this.#remove(offset + length, after)
      length += after
    }
    this.#insert(offset, length)
  }

  #insert(offset: number, size: number): void {
    this.#byOffset.set(offset, size)
    this.#byEnd.set(offset + size, offset)
    const offsets = this.#bySize.get(size)
    if (offsets) offsets.add(offset)
    else {
      this.#bySize.set(size, new Set([offset]))
      this.#sizes.splice(lowerBound(this.#sizes, size), 0, size)
    }
  }

  #remove(offset: number, size: number): void {
    this.#byOffset.delete(offset)
    this.#byEnd.delete(offset + size)
    const offsets = this.#bySize.get(size) as Set<number>
    offsets.delete(offset)
    if (offsets.size > 0) return
    this.#bySize.delete(size)
    this.#sizes.splice(lowerBound(this.#sizes, size), 1)
  }
}
