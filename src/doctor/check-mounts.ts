// SPDX-License-Identifier: Apache-2.0
/** File systems that pins and socket hooks need. */

import type { SocketLb } from '../config/config.ts'
import { type Finding, findingsOf } from './finding.ts'

export interface MountFacts {
  readonly socketLb: SocketLb
  /** /sys/fs/bpf is a bpffs. */
  readonly bpffs: boolean
  /** Given by --cgroup, or found; undefined: no cgroup2 is mounted. */
  readonly cgroup: string | undefined
  /** The folder is in a cgroup2 mount. */
  readonly isCgroup2: boolean
  /** The folder is the root of the hierarchy; undefined: not known. */
  readonly isRoot: boolean | undefined
}

/** Pure. */
export function checkMounts({ socketLb, bpffs, cgroup, isCgroup2, isRoot }: MountFacts): Finding[] {
  const mounts = findingsOf('bpffs')
  const findings = [
    bpffs
      ? mounts.ok('mounted at /sys/fs/bpf')
      : mounts.warning(
          'not mounted at /sys/fs/bpf: the agent mounts it, which in a container is gone when that ends',
          'mount -t bpf bpf /sys/fs/bpf; in a Pod mount that folder of the node',
        ),
  ]
  const { ok, note, warning, error } = findingsOf('cgroup v2')
  if (socketLb === 'off') return [...findings, note('not used: --socket-lb is off')]
  if (cgroup === undefined || !isCgroup2) {
    const what = cgroup === undefined ? 'not mounted' : `${cgroup} is not in a cgroup2 mount`
    return [
      ...findings,
      error(what, 'mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified, or give --cgroup, or --socket-lb off'),
    ]
  }
  if (isRoot === false) {
    const remedy = "In a Pod, mount the node's /sys/fs/cgroup and name that folder by --cgroup"
    return [
      ...findings,
      warning(`${cgroup} is not the root: only sockets of processes below it are translated`, remedy),
    ]
  }
  return [...findings, ok(`sockets are translated below ${cgroup}`)]
}
