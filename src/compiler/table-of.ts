// SPDX-License-Identifier: Apache-2.0
/** The Maglev table of a compiled set. */

import { addressWords } from './address-words.ts'
import type { CompiledBackend, CompiledSet } from './compiled-service.ts'
import { backendHash } from './hash.ts'
import { fillTable } from './maglev.ts'

const words = new Uint32Array(4)
let scratch = new Uint32Array(4096)
let hashes = new Uint32Array(64)

/**
 * Computes a set's table.
 *
 * @param ids what stands for each of the set's backends in the slots; never 0
 * @param seed one for the whole cluster, so that every node sends a client to the same backend
 * @returns a view of `set.length` slots, valid until the next call
 */
export function tableOf(
  set: CompiledSet,
  backends: readonly CompiledBackend[],
  ids: ArrayLike<number>,
  seed: number,
): Uint32Array {
  if (scratch.length < set.length) scratch = new Uint32Array(set.length * 2)
  if (hashes.length < 2 * ids.length) hashes = new Uint32Array(4 * ids.length)
  if (set.length > 1) {
    set.backends.forEach((index, i) => {
      const { address, port } = backends[index] as CompiledBackend
      addressWords(address, words)
      hashes[2 * i] = backendHash(words, port, seed)
      hashes[2 * i + 1] = backendHash(words, port, ~seed)
    })
  }
  fillTable(scratch, set.length, ids, hashes)
  return scratch.subarray(0, set.length)
}
