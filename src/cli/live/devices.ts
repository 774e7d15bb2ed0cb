// SPDX-License-Identifier: Apache-2.0
/** Network devices by index, as this process's network namespace knows them. */

import { execFileSync } from 'node:child_process'

interface IpLink {
  readonly ifindex: number
  readonly ifname: string
  readonly xdp?: { readonly mode: number }
}

/** enum of XDP_ATTACHED_* (linux/if_link.h). */
const xdpModes: Readonly<Record<number, string>> = { 1: 'native', 2: 'generic', 3: 'offloaded' }

let known: ReadonlyMap<number, IpLink> | undefined

/** '' for a device that this namespace does not have. */
export function deviceName(ifindex: number): string {
  return device(ifindex)?.ifname ?? ''
}

/** How XDP runs on a device: in its driver, or on finished socket buffers; '' where it does not. */
export function xdpMode(ifindex: number): string {
  return xdpModes[device(ifindex)?.xdp?.mode ?? 0] ?? ''
}

function device(ifindex: number): IpLink | undefined {
  known ??= readLinks()
  return known.get(ifindex)
}

/** By netlink: /sys shows the devices of the namespace that it was mounted in. */
function readLinks(): ReadonlyMap<number, IpLink> {
  const links = JSON.parse(execFileSync('ip', ['-json', 'link', 'show'], { encoding: 'utf8' })) as IpLink[]
  return new Map(links.map((link) => [link.ifindex, link]))
}
