// SPDX-License-Identifier: Apache-2.0
/** The programs over an agent's pinned maps: they read what it has programmed, and write to maps of their own. */

import { abiFingerprint } from '../abi/generated.ts'
import { shippedObject } from '../agent/load-programs.ts'
import { type MapName, type Maps, mapsOf, openPinnedMaps } from '../bpf/maps.ts'
import { loadObject } from '../bpf/object.ts'
import { scratchSizes } from './map-sizes.ts'
import { copyOf, type ProgramCopy, TraceError } from './program-copy.ts'
import { type TraceKnobs, traceProgramConfig } from './trace-knobs.ts'

/** Maps that no packet writes to. */
const shared = ['frontends', 'backends', 'arena', 'members', 'source_ranges', 'services'] as const

/**
 * @param directory Where the agent's maps are pinned.
 * @param knobs What it cannot be told from the maps: give it the agent's configuration.
 * @throws {TraceError} when the maps have another version's layout.
 */
export function openLiveCopy(directory: string, knobs: Omit<TraceKnobs, 'serviceCidrs'>): ProgramCopy {
  const live = openPinnedMaps(directory)
  try {
    return loadOver(live.maps, directory, knobs, () => live.close())
  } catch (error) {
    live.close()
    throw error
  }
}

function loadOver(
  live: Maps,
  directory: string,
  knobs: Omit<TraceKnobs, 'serviceCidrs'>,
  closeLive: () => void,
): ProgramCopy {
  if (live.control.get(0).abi !== abiFingerprint)
    throw new TraceError(`The maps in ${directory} belong to another version of maglane`)
  const sizeOf = (name: MapName): [string, number] => [name, live[name].handle.maxEntries]
  const object = loadObject({
    object: shippedObject(),
    programs: knobs.programs,
    // Counters are by the ids that the agent gave.
    maxEntries: { ...scratchSizes, ...Object.fromEntries([...shared, 'service_stats' as const].map(sizeOf)) },
    config: traceProgramConfig({ ...knobs, serviceCidrs: [] }),
    pinDirectory: directory,
    pinnedMaps: shared,
  })
  const own = mapsOf(object.maps)
  const close = () => {
    own.close()
    object.close()
    closeLive()
  }
  try {
    return copyOf({ object, services: live, scratch: own.maps, prepare: () => takeOver(live, own.maps), close })
  } catch (error) {
    close()
    throw error
  }
}

/** A flow sets bits in the filter, so the programs get one of their own; what the agent wrote meanwhile counts. */
function takeOver(live: Maps, own: Maps): void {
  own.filter.bytes.set(live.filter.bytes)
  own.control.bytes.set(live.control.bytes)
}
