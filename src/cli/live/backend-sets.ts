// SPDX-License-Identifier: Apache-2.0
/** Which backends stand in a set's Maglev table. */

import type { BackendSet, Slots } from '../../abi/generated.ts'
import type { MmapArray } from '../../bpf/mmap-array.ts'

export class BackendSets {
  readonly #arena: Pick<MmapArray<Slots>, 'words'>
  /** Frontends share tables: each is read once. */
  readonly #known = new Map<number, readonly number[]>()

  constructor(arena: Pick<MmapArray<Slots>, 'words'>) {
    this.#arena = arena
  }

  /** Ids, ascending; none for an empty set. */
  backends(set: BackendSet): readonly number[] {
    if (set.slots === 0) return []
    let ids = this.#known.get(set.offset)
    if (ids === undefined) {
      ids = this.#read(set)
      this.#known.set(set.offset, ids)
    }
    return ids
  }

  #read({ offset, slots }: BackendSet): readonly number[] {
    const { words } = this.#arena
    const ids = new Set<number>()
    for (let slot = offset; slot < offset + slots; slot++) ids.add(words[slot] ?? 0)
    // A region that is being written holds zeros.
    ids.delete(0)
    return [...ids].sort((a, b) => a - b)
  }
}
