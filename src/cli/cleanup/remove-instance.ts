// SPDX-License-Identifier: Apache-2.0
/** Removes an instance from the kernel. */

import { join } from 'node:path'
import { pinnedNames, removePinDirectory } from '../../bpf/bpffs.ts'
import { BpfLink } from '../../bpf/link.ts'
import { isNativeError } from '../../ffi/check.ts'
import { instanceDirectory, instanceOf } from '../live/instance.ts'

export interface RemovedInstance {
  readonly instance: string
  /** Links that held a program. */
  readonly detached: number
  readonly maps: number
}

/** Programs go first: none may run on maps that are half gone. */
export function removeInstance(name: string): RemovedInstance {
  const instance = instanceOf(name)
  const links = pinnedNames(instance.links)
  const detached = links.filter((link) => detach(join(instance.links, link))).length
  const maps = pinnedNames(instance.maps).length
  removePinDirectory(instanceDirectory(name))
  return { instance: name, detached, maps }
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
