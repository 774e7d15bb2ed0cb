// SPDX-License-Identifier: Apache-2.0
/** Instances on this machine, by the names of their pin folders. */

import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { pinDirectories } from '../../agent/load-programs.ts'
import { pinnedNames } from '../../bpf/bpffs.ts'
import type { Option } from '../command.ts'
import { UsageError } from '../command.ts'

export const instanceOption = {
  type: 'string',
  default: 'default',
  placeholder: 'NAME',
  description: 'The instance, where several agents run on one machine',
} as const satisfies Option

export interface Instance {
  readonly name: string
  readonly maps: string
  readonly links: string
}

/** There is no such instance, or it is not in the state that a command needs. */
export class InstanceError extends Error {
  override readonly name = 'InstanceError'
  readonly code = 'E_INSTANCE'
}

/** Names of all instances that have pins, sorted. */
export function instanceNames(): readonly string[] {
  try {
    return readdirSync(dirname(directoryOf('any'))).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Where an instance's pins are, whether or not there are any. @throws UsageError for a name that is no file name. */
export function instanceOf(name: string): Instance {
  if (!/^[\w][\w.-]*$/.test(name)) throw new UsageError(`"${name}" is no instance name: letters, digits, . _ - are`)
  return { name, ...pinDirectories(name) }
}

/** The folder that holds all of an instance's pins. */
export function instanceDirectory(name: string): string {
  return directoryOf(instanceOf(name).name)
}

function directoryOf(name: string): string {
  return dirname(pinDirectories(name).maps)
}

/** @throws InstanceError when no maps are pinned under the name. */
export function findInstance(name: string): Instance {
  const instance = instanceOf(name)
  if (pinnedNames(instance.maps).length > 0) return instance
  const others = instanceNames()
  throw new InstanceError(
    others.length === 0
      ? 'no agent has run on this machine since it booted: no maps are pinned'
      : `no instance "${name}" is pinned; --instance takes: ${others.join(', ')}`,
  )
}
