// SPDX-License-Identifier: Apache-2.0
/** What the views read: an instance's pinned maps, with names for the ids in them. */

import { abiFingerprint } from '../../abi/generated.ts'
import { type Maps, openPinnedMaps } from '../../bpf/maps.ts'
import { BackendSets } from './backend-sets.ts'
import { InstanceDevices } from './devices.ts'
import { findInstance, InstanceError } from './instance.ts'
import { ServiceNames } from './service-names.ts'

export interface Live {
  readonly maps: Maps
  readonly names: ServiceNames
  readonly sets: BackendSets
  /** Read when they are first asked for. */
  readonly devices: InstanceDevices
}

/**
 * Opens an instance for reading, and closes it after `read`.
 *
 * @throws InstanceError when nothing is pinned, or by an agent whose maps have another layout.
 */
export function withLive<T>(name: string, read: (live: Live) => T): T {
  using open = openPinnedMaps(findInstance(name).maps)
  const { maps } = open
  requireSameAbi(name, maps)
  let devices: InstanceDevices | undefined
  return read({
    maps,
    names: new ServiceNames(maps.services.entries()),
    sets: new BackendSets(maps.arena),
    get devices() {
      devices ??= new InstanceDevices(maps.devices.entries())
      return devices
    },
  })
}

/** @throws InstanceError when the maps were made by another version, whose layout this one would misread. */
export function requireSameAbi(name: string, maps: Maps): void {
  const { abi } = maps.control.get(0)
  if (abi === abiFingerprint) return
  throw new InstanceError(
    `instance "${name}" belongs to another version of maglane: its maps have layout ${hex(abi)}, this one reads ${hex(abiFingerprint)}`,
  )
}

function hex(fingerprint: number): string {
  return fingerprint.toString(16).padStart(8, '0')
}
