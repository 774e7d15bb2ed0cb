// SPDX-License-Identifier: Apache-2.0
/** Names of network devices. An index means a device in one network namespace alone: the instance's. */

import { execFileSync } from 'node:child_process'
import type { Device } from '../../abi/generated.ts'

/** A device as `ip -json link` tells of it. */
export interface IpLink {
  readonly ifindex: number
  readonly ifname: string
  /** `02:00:00:00:00:01`. */
  readonly address?: string
  readonly xdp?: { readonly mode: number }
}

/** XDP_ATTACHED_* (linux/if_link.h). */
const xdpModes: Readonly<Record<number, string>> = { 1: 'native', 2: 'generic', 3: 'offloaded' }

/** The devices of an instance; empty where this process is in another network namespace than its agent was. */
export class InstanceDevices {
  readonly #links: ReadonlyMap<number, IpLink>

  constructor(entries: Iterable<readonly [ifindex: number, device: Device]>, links: readonly IpLink[] = readLinks()) {
    const here = isSameNamespace(entries, links)
    this.#links = new Map(here ? links.map((link) => [link.ifindex, link]) : [])
  }

  get indices(): readonly number[] {
    return [...this.#links.keys()]
  }

  /** '' for a device that is gone, or whose namespace this is not. */
  name(ifindex: number): string {
    return this.#links.get(ifindex)?.ifname ?? ''
  }

  /** How XDP runs on a device: in its driver, or on finished socket buffers; '' where it does not. */
  xdpMode(ifindex: number): string {
    return xdpModes[this.#links.get(ifindex)?.xdp?.mode ?? 0] ?? ''
  }
}

/** True when a device that the agent has seen is here, under its index: two namespaces share indices, not addresses. */
export function isSameNamespace(
  entries: Iterable<readonly [ifindex: number, device: Pick<Device, 'mac'>]>,
  links: readonly IpLink[],
): boolean {
  const addresses = new Map(links.map(({ ifindex, address }) => [ifindex, address]))
  for (const [ifindex, { mac }] of entries) {
    const text = mac.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
    // Loopback devices have an address of zeros everywhere.
    if (mac.some((byte) => byte !== 0) && addresses.get(ifindex) === text) return true
  }
  return false
}

/** By netlink: /sys shows the devices of the namespace that it was mounted in. */
function readLinks(): readonly IpLink[] {
  return JSON.parse(execFileSync('ip', ['-json', 'link', 'show'], { encoding: 'utf8' }))
}
