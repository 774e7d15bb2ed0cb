// SPDX-License-Identifier: Apache-2.0
/** How much memory maps take when they are full, before they are created (kernel/bpf: hashtab.c, arraymap.c, lpm_trie.c, ringbuf.c). */

import { MapType } from '../abi/map-type.ts'
import { pageSize } from '../ffi/libc.ts'
import { possibleCpus } from './possible-cpus.ts'

/** What the estimate depends on. */
export interface MapShape {
  /** enum bpf_map_type. */
  readonly type: number
  /** Bytes. */
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  /** BPF_F_*. */
  readonly flags: number
}

const BPF_F_NO_PREALLOC = 1
const BPF_F_MMAPABLE = 1 << 10

/** struct bpf_map and what a map type adds to it: between 300 and 800 bytes, by kernel. */
const MAP_BYTES = 1024
/** struct htab_elem before its key. */
const HASH_ELEMENT_BYTES = 48
/** struct bucket. */
const HASH_BUCKET_BYTES = 16
/** struct lpm_trie_node before its data. */
const TRIE_NODE_BYTES = 40
/** What the BPF allocator puts before an object. */
const ALLOCATION_BYTES = 8
/** Sizes of the allocator's caches (kernel/bpf/memalloc.c); above, pages. */
const cacheSizes = [16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096]

/**
 * Bytes of a full map, an upper bound.
 *
 * @param cpus Default: the machine's.
 */
export function mapMemory(shape: MapShape, cpus: number = possibleCpus()): number {
  const { type, keySize, valueSize, maxEntries, flags } = shape
  const value = align8(valueSize)
  switch (type) {
    case MapType.ARRAY: {
      const elements = value * maxEntries
      // What is mapped into a process begins on a page of its own.
      return flags & BPF_F_MMAPABLE ? pageSize() + wholePages(elements) : MAP_BYTES + elements
    }
    case MapType.PERCPU_ARRAY:
      return MAP_BYTES + maxEntries * (8 + value * cpus)
    case MapType.HASH:
    case MapType.LRU_HASH: {
      const element = HASH_ELEMENT_BYTES + align8(keySize) + value
      const buckets = powerOfTwo(maxEntries) * HASH_BUCKET_BYTES
      if (flags & BPF_F_NO_PREALLOC) return MAP_BYTES + buckets + maxEntries * allocation(element)
      // A hash keeps an element a CPU spare, to swap with one that is updated.
      const spare = type === MapType.HASH ? cpus : 0
      return MAP_BYTES + buckets + (maxEntries + spare) * element
    }
    case MapType.LPM_TRIE:
      // Each entry can need a branch of its own, which has no value but room for one.
      return MAP_BYTES + 2 * maxEntries * allocation(TRIE_NODE_BYTES + (keySize - 4) + valueSize)
    case MapType.RINGBUF:
      // The data, a page for each side's position, the bookkeeping of pages.
      return MAP_BYTES + maxEntries + 3 * pageSize() + (2 * maxEntries * 8) / pageSize()
    default:
      throw new RangeError(`No estimate for map type ${type}`)
  }
}

function align8(bytes: number): number {
  return (bytes + 7) & ~7
}

function wholePages(bytes: number): number {
  const page = pageSize()
  return Math.ceil(bytes / page) * page
}

function powerOfTwo(entries: number): number {
  return 2 ** Math.ceil(Math.log2(entries))
}

function allocation(bytes: number): number {
  const wanted = bytes + ALLOCATION_BYTES
  return cacheSizes.find((size) => size >= wanted) ?? wholePages(wanted)
}
