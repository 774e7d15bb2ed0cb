// SPDX-License-Identifier: Apache-2.0
/** The kinds of BPF maps that maglane uses. */

/** enum bpf_map_type (linux/bpf.h), as far as maps are read. */
export const MapType = {
  HASH: 1,
  ARRAY: 2,
  PERCPU_ARRAY: 6,
  LRU_HASH: 9,
  LPM_TRIE: 11,
  RINGBUF: 27,
} as const
export type MapTypeName = keyof typeof MapType

/** The name of a map type; undefined for one that maglane does not use. */
export function mapTypeName(type: number): MapTypeName | undefined {
  return (Object.keys(MapType) as MapTypeName[]).find((name) => MapType[name] === type)
}
