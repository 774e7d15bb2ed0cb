// SPDX-License-Identifier: Apache-2.0
/** How a process gets into a place of the lab: its cgroup, its network namespace, its own /sys, files of /etc and environment. */

import { join } from 'node:path'
import { inNamespace } from './namespace.ts'

export interface Place {
  /** Name of a network namespace below /run/netns. */
  readonly namespace: string
  /** Path of a cgroup. */
  readonly cgroup: string
  /** Folder of files that stand in for those of /etc. */
  readonly etc?: string
  /** Variables besides the caller's own. */
  readonly environment?: Readonly<Record<string, string>>
}

/** Arguments that run a command in a place. */
export function enter(place: Place, argv: readonly string[]): string[] {
  // 0 is the writer itself (cgroups(7)): sh moves before it becomes the command.
  const script = 'echo 0 > "$1" && shift && exec "$@"'
  const inside = inNamespace(place.namespace, withEtc(place, withEnvironment(place, argv)))
  return ['sh', '-c', script, 'sh', join(place.cgroup, 'cgroup.procs'), ...inside]
}

function withEtc({ etc }: Place, argv: readonly string[]): readonly string[] {
  if (etc === undefined) return argv
  // A file that the machine does not have cannot be mounted over; its readers have a default.
  const script = `set -e
    for file in "$1"/*; do
      [ ! -e "/etc/\${file##*/}" ] || mount --bind "$file" "/etc/\${file##*/}"
    done
    shift
    exec "$@"`
  return ['unshare', '--mount', '--', 'sh', '-c', script, 'sh', etc, ...argv]
}

function withEnvironment({ environment = {} }: Place, argv: readonly string[]): readonly string[] {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
  return variables.length === 0 ? argv : ['env', ...variables, ...argv]
}

/**
 * Arguments that run a command in a place with a /sys of the place's own, which /sys/class/net needs, but with the
 * machine's bpffs and cgroups in it: `ip netns exec` would hide those. The folder is an empty one to mount at.
 */
export function enterWithSys(place: Place, folder: string, argv: readonly string[]): string[] {
  const script = `set -e
    new=$1; shift
    mount -t sysfs sysfs "$new"
    mount --rbind /sys/fs/bpf "$new/fs/bpf"
    mount --rbind /sys/fs/cgroup "$new/fs/cgroup"
    mount --rbind "$new" /sys
    exec "$@"`
  // unshare makes the copy of the mounts private, so nothing of this is seen outside.
  return enter(place, ['unshare', '--mount', '--', 'sh', '-c', script, 'sh', folder, ...argv])
}
