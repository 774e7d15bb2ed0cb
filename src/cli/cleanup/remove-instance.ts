// SPDX-License-Identifier: Apache-2.0
/** Removes an instance from the kernel. */

import { join } from 'node:path'
import { pinnedNames, removePinDirectory } from '../../bpf/bpffs.ts'
import { BpfLink } from '../../bpf/link.ts'
import { MapShapeError } from '../../bpf/map-handle.ts'
import { openPinnedMaps } from '../../bpf/maps.ts'
import { isNativeError } from '../../ffi/check.ts'
import { InstanceDevices } from '../live/devices.ts'
import { type Instance, instanceDirectory, instanceOf } from '../live/instance.ts'
import { detachFilters } from './detach-filters.ts'

export interface RemovedInstance {
  readonly instance: string
  /** Programs that were taken off. */
  readonly detached: number
  readonly maps: number
}

/** Programs go first: none may run on maps that are half gone. */
export function removeInstance(name: string): RemovedInstance {
  const instance = instanceOf(name)
  const links = pinnedNames(instance.links)
  const detached = links.filter((link) => detach(join(instance.links, link))).length + detachFilters(indices(instance))
  const maps = pinnedNames(instance.maps).length
  removePinDirectory(instanceDirectory(name))
  return { instance: name, detached, maps }
}

/** Devices that may bear filters; none where the maps are another version's, whose devices cannot be told. */
function indices({ maps }: Instance): readonly number[] {
  if (!pinnedNames(maps).includes('devices')) return []
  using open = openPinnedMaps(maps)
  try {
    return new InstanceDevices(open.maps.devices.entries()).indices
  } catch (error) {
    if (error instanceof MapShapeError) return []
    throw error
  }
}

/** At once, though an agent may hold the link open. @returns false where its device was gone. */
function detach(path: string): boolean {
  using link = BpfLink.openPinned(path)
  try {
    link?.detach()
    return link !== undefined
  } catch (error) {
    if (isNativeError(error, 'ENOLINK', 'ENODEV', 'EINVAL')) return false
    throw error
  }
}
