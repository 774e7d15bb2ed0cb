// SPDX-License-Identifier: Apache-2.0
/** Loads the programs for an agent, over the maps that a former one has pinned where they fit. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { abiFingerprint, mapSpecs, type Config as ProgramConfig } from '../abi/generated.ts'
import { MapType } from '../abi/map-type.ts'
import { BPFFS, pinnedNames, unpin } from '../bpf/bpffs.ts'
import { openPinnedMaps } from '../bpf/maps.ts'
import { mapMemory } from '../bpf/memory.ts'
import { type BpfObject, loadObject } from '../bpf/object.ts'
import type { Config } from '../config/config.ts'
import type { Log } from './log.ts'

/** Pins of an instance. */
export interface PinDirectories {
  readonly maps: string
  readonly links: string
}

export function pinDirectories(instance: string): PinDirectories {
  const root = join(BPFFS, 'maglane', instance)
  return { maps: join(root, 'maps'), links: join(root, 'links') }
}

/** The shipped BPF object: beside the sources, or beside the bundle. @throws Error when it has not been built */
export function shippedObject(): string {
  const candidates = ['../../bpf/dist/maglane.bpf.o', '../bpf/dist/maglane.bpf.o', './bpf/dist/maglane.bpf.o']
  const paths = candidates.map((path) => fileURLToPath(new URL(path, import.meta.url)))
  const found = paths.find((path) => existsSync(path))
  if (found === undefined) throw new Error(`Build the BPF programs first: none of ${paths.join(', ')} exists`)
  return found
}

/** The size of a map: as configured, else as in C. */
function entriesOf(name: keyof typeof mapSpecs, config: Config): number {
  return config.mapSizes[name] ?? mapSpecs[name].maxEntries
}

/** Worst-case bytes by map, largest first. */
export function memoryOfMaps(config: Config): readonly (readonly [name: string, bytes: number])[] {
  const rows = Object.values(mapSpecs).map((spec) => {
    const shape = {
      type: MapType[spec.type],
      keySize: spec.key?.size ?? 0,
      valueSize: spec.value?.size ?? 0,
      maxEntries: entriesOf(spec.name, config),
      flags: spec.flags,
    }
    return [spec.name, mapMemory(shape)] as const
  })
  return rows.sort(([, a], [, b]) => b - a)
}

/** Maps whose layout is another version's are of no use, whatever their sizes say. */
function dropForeignPins(directory: string, log: Log): void {
  const names = pinnedNames(directory)
  if (names.length === 0) return
  let abi: number | undefined
  try {
    using pinned = openPinnedMaps(directory)
    abi = pinned.maps.control.get(0).abi
  } catch {
    abi = undefined
  }
  // Zero: the agent that made them has not come so far as to say.
  if (abi === abiFingerprint || abi === 0) return
  log('warn', 'the pinned maps have the layout of another version: flows start anew', { directory })
  for (const name of names) unpin(join(directory, name))
}

export interface LoadProgramsInput {
  readonly config: Config
  readonly programConfig: ProgramConfig
  readonly pins: PinDirectories
  /** Default: the shipped one. */
  readonly object?: string | undefined
  readonly log: Log
}

/** Loads all programs but the socket programs that are turned off. */
export function loadPrograms({ config, programConfig, pins, object, log }: LoadProgramsInput): BpfObject {
  dropForeignPins(pins.maps, log)
  const loaded = loadObject({
    object: object ?? shippedObject(),
    maxEntries: config.mapSizes as Record<string, number>,
    config: programConfig,
    pinDirectory: pins.maps,
    incompatible: 'replace',
  })
  if (loaded.replaced.length > 0) {
    log('warn', 'pinned maps of another size were replaced by empty ones', { maps: loaded.replaced.join(',') })
  }
  return loaded
}
