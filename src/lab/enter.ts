// SPDX-License-Identifier: Apache-2.0
/** How a process gets into a place of the lab: its cgroup, its network namespace, its own /sys. */

import { join } from 'node:path'
import { inNamespace } from './namespace.ts'

export interface Place {
  /** Name of a network namespace below /run/netns. */
  readonly namespace: string
  /** Path of a cgroup. */
  readonly cgroup: string
}

/** Arguments that run a command in a place. */
export function enter(place: Place, argv: readonly string[]): string[] {
  // 0 is the writer itself (cgroups(7)): sh moves before it becomes the command.
  const script = 'echo 0 > "$1" && shift && exec "$@"'
  return ['sh', '-c', script, 'sh', join(place.cgroup, 'cgroup.procs'), ...inNamespace(place.namespace, argv)]
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
