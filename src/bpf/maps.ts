// SPDX-License-Identifier: Apache-2.0
/** The inventory of maps with their types: of a loaded object, or of what an agent has pinned. */

import { join } from 'node:path'
import { type Event, eventCodec, mapSpecs } from '../abi/generated.ts'
import { MapType, type MapTypeName } from '../abi/map-type.ts'
import type { Codec } from '../abi/runtime.ts'
import { HashMap } from './hash-map.ts'
import { closeMap, type MapHandle, MapShapeError, openPinnedMap } from './map-handle.ts'
import { MmapArray } from './mmap-array.ts'
import { PerCpuArray } from './per-cpu-array.ts'
import { RingBuffer } from './ring-buffer.ts'

/** Any map of the inventory. */
export interface MapSpec {
  readonly name: string
  readonly type: MapTypeName
  readonly flags: number
  readonly maxEntries: number
  readonly key: Codec<never> | undefined
  readonly value: Codec<never> | undefined
}

type Value<C> = C extends Codec<infer T> ? T : never
type TypedMap<S extends { readonly type: MapTypeName; readonly key: unknown; readonly value: unknown }> = {
  readonly HASH: HashMap<Value<S['key']>, Value<S['value']>>
  readonly LRU_HASH: HashMap<Value<S['key']>, Value<S['value']>>
  readonly LPM_TRIE: HashMap<Value<S['key']>, Value<S['value']>>
  readonly ARRAY: MmapArray<Value<S['value']>>
  readonly PERCPU_ARRAY: PerCpuArray<Value<S['value']>>
  readonly RINGBUF: RingBuffer<Event>
}[S['type']]

export type MapName = keyof typeof mapSpecs

/** One property a map of bpf/maps.h; a map is opened when its property is first read. */
export type Maps = { readonly [Name in MapName]: TypedMap<(typeof mapSpecs)[Name]> }

/** Maps together with what they hold open. */
export interface OpenMaps extends Disposable {
  readonly maps: Maps
  /** Releases mappings, and descriptors that were opened for it. */
  close(): void
}

/** The maps of a loaded object; close them before the object. */
export function mapsOf(handles: ReadonlyMap<string, MapHandle>): OpenMaps {
  return openMaps((name) => {
    const handle = handles.get(name)
    if (!handle) throw new MapShapeError(`The object has no map ${name}`)
    return handle
  })
}

/**
 * The maps that are pinned in a folder.
 *
 * @param options.writable False, the default: arrays are mapped for reading.
 */
export function openPinnedMaps(directory: string, options: { readonly writable?: boolean } = {}): OpenMaps {
  return openMaps((name) => openPinnedMap(join(directory, name)), { owned: true, writable: options.writable ?? false })
}

function openMaps(
  open: (name: MapName) => MapHandle,
  { owned = false, writable = true }: { owned?: boolean; writable?: boolean } = {},
): OpenMaps {
  const opened = new Map<MapName, { readonly handle: MapHandle; readonly map: unknown }>()
  const maps = {} as Maps
  for (const name of Object.keys(mapSpecs) as MapName[]) {
    Object.defineProperty(maps, name, {
      enumerable: true,
      get() {
        let entry = opened.get(name)
        if (!entry) {
          const handle = open(name)
          entry = { handle, map: typedMap(mapSpecs[name], handle, writable) }
          opened.set(name, entry)
        }
        return entry.map
      },
    })
  }
  const close = () => {
    for (const { handle, map } of opened.values()) {
      if (map instanceof MmapArray || map instanceof RingBuffer) map.unmap()
      if (owned) closeMap(handle)
    }
    opened.clear()
  }
  return { maps, close, [Symbol.dispose]: close }
}

function typedMap(spec: (typeof mapSpecs)[MapName], handle: MapHandle, writable: boolean): unknown {
  if (handle.type !== MapType[spec.type]) {
    throw new MapShapeError(`map ${spec.name} has type ${handle.type}, not ${spec.type}`)
  }
  switch (spec.type) {
    case 'HASH':
    case 'LRU_HASH':
    case 'LPM_TRIE':
      return new HashMap<never, never>(handle, spec.key as Codec<never>, spec.value as Codec<never>)
    case 'ARRAY':
      return new MmapArray<never>(handle, spec.value as Codec<never>, { writable })
    case 'PERCPU_ARRAY':
      return new PerCpuArray<never>(handle, spec.value as Codec<never>)
    case 'RINGBUF':
      return new RingBuffer(handle, eventCodec)
  }
}
