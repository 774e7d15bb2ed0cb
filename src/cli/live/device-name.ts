// SPDX-License-Identifier: Apache-2.0
/** Names of network devices by index, as this process's network namespace knows them. */

import { execFileSync } from 'node:child_process'

let known: ReadonlyMap<number, string> | undefined

/** '' for a device that this namespace does not have. */
export function deviceName(ifindex: number): string {
  known ??= readNames()
  return known.get(ifindex) ?? ''
}

/** By netlink: /sys shows the devices of the namespace that it was mounted in. */
function readNames(): ReadonlyMap<number, string> {
  const links = JSON.parse(execFileSync('ip', ['-json', 'link', 'show'], { encoding: 'utf8' })) as {
    readonly ifindex: number
    readonly ifname: string
  }[]
  return new Map(links.map(({ ifindex, ifname }) => [ifindex, ifname]))
}
