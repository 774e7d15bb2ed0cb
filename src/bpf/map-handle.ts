// SPDX-License-Identifier: Apache-2.0
/** A map in the kernel, by its file descriptor. */

import { closeSync } from 'node:fs'
import koffi from 'koffi'
import type { Codec } from '../abi/runtime.ts'
import { check } from '../ffi/check.ts'
import { libbpf } from '../ffi/libbpf.ts'
import { MapInfo } from '../ffi/libbpf-types.ts'

/** What the kernel says of a map. */
export interface MapHandle {
  /** As in the object file; at most 15 characters. */
  readonly name: string
  readonly fd: number
  /** enum bpf_map_type. */
  readonly type: number
  /** Bytes. */
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  /** BPF_F_*. */
  readonly flags: number
}

/** A map that is not what the codecs expect. */
export class MapShapeError extends Error {
  override readonly name = 'MapShapeError'
  readonly code = 'E_MAP_SHAPE'
}

/** Opens a pinned map; the caller closes it with {@link closeMap}. */
export function openPinnedMap(path: string): MapHandle {
  const fd = check('bpf_obj_get', libbpf().objectGet(path), path)
  try {
    return describeMap(fd)
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** Closes a map that was opened by {@link openPinnedMap}; those of an object close with it. */
export function closeMap(map: MapHandle): void {
  closeSync(map.fd)
}

/** Asks the kernel. */
export function describeMap(fd: number): MapHandle {
  const info = new Uint8Array(MapInfo.size)
  check('bpf_obj_get_info_by_fd', libbpf().infoByFd(fd, info, [info.length]), `map fd ${fd}`)
  const raw = koffi.decode(info, MapInfo)
  return {
    name: raw.name,
    fd,
    type: raw.type,
    keySize: raw.key_size,
    valueSize: raw.value_size,
    maxEntries: raw.max_entries,
    flags: raw.map_flags,
  }
}

/** @throws {MapShapeError} when a codec reads another number of bytes than the map holds: memory would be overrun. */
export function requireShape(map: MapHandle, key: Codec<unknown> | undefined, value: Codec<unknown>): void {
  const faults: string[] = []
  if (key && key.size !== map.keySize) faults.push(`keys have ${map.keySize} bytes, ${key.name} has ${key.size}`)
  if (value.size !== map.valueSize) faults.push(`values have ${map.valueSize} bytes, ${value.name} has ${value.size}`)
  if (faults.length > 0) throw new MapShapeError(`map ${map.name}: ${faults.join('; ')}`)
}
