// SPDX-License-Identifier: Apache-2.0
/** What a device is to the dataplane: a way out of the node, a way to a pod, or nothing. */

import { canonicalAddress, familyOf } from '../model/ip.ts'
import type { DeviceSnapshot, LinkJson } from './device-snapshot.ts'

/**
 * `net`: NICs, overlay devices, lo. `pod`: the host's end of one pod's interface. `bridge`: carries pods, whose ports are
 * attached to instead. `other`: not attached to.
 */
export type DeviceClass = 'net' | 'pod' | 'bridge' | 'other'

export interface NodeDevice {
  readonly ifindex: number
  readonly name: string
  readonly class: DeviceClass
  readonly loopback: boolean
  /** A tunnel: its packets come from the stack, not from a wire. */
  readonly overlay: boolean
  readonly ethernet: boolean
  readonly veth: boolean
  /** MAC address, six bytes; zero where there is none. */
  readonly mac: readonly number[]
  /** Name of the bridge that it is a port of. */
  readonly master: string | undefined
  /** Canonical addresses of global scope, in the kernel's order. */
  readonly addresses: readonly string[]
  readonly defaultRoute: boolean
  /** Mode that an attached XDP program runs in; undefined without one. */
  readonly xdpMode: 'native' | 'generic' | undefined
}

export interface DevicePatterns {
  /** `*` matches any text; empty: found out. */
  readonly devices: readonly string[]
  readonly podInterfaces: readonly string[]
}

const overlayKinds = new Set([
  'vxlan',
  'geneve',
  'gre',
  'gretap',
  'ip6gre',
  'ipip',
  'ip6tnl',
  'sit',
  'wireguard',
  'tun',
])

/** Devices that hold addresses of others: kube-ipvs0, node-local DNS caches. */
const addressHolders = new Set(['dummy', 'ifb', 'nlmon'])

/** Interfaces of VMs have no peer; on a bridge they are pods of VM runtimes. */
const podKinds = new Set(['veth', 'netkit', 'tun', 'ipvlan', 'macvlan'])

// linux/if_link.h: XDP_ATTACHED_DRV, XDP_ATTACHED_SKB.
const xdpModes: Readonly<Record<number, 'native' | 'generic'>> = { 1: 'native', 2: 'generic' }

function matches(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => {
    const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    return new RegExp(`^${parts.join('.*')}$`).test(name)
  })
}

function macOf(link: LinkJson): readonly number[] {
  const bytes = (link.address ?? '').split(':').map((byte) => Number.parseInt(byte, 16))
  return bytes.length === 6 && bytes.every((byte) => byte >= 0 && byte < 256) ? bytes : [0, 0, 0, 0, 0, 0]
}

interface Facts {
  readonly link: LinkJson
  readonly kind: string
  /** Addresses of global scope with their prefix lengths. */
  readonly addresses: readonly { readonly address: string; readonly bits: number }[]
  readonly defaultRoute: boolean
  readonly bridgePort: boolean
}

/** Some CNIs give the host's end of a pod's veth an address of its own; a whole network there is a node's. */
function holdsNodeAddress({ link, kind, addresses }: Facts): boolean {
  if (kind !== 'veth' || link.link_netnsid === undefined) return addresses.length > 0
  return addresses.some(({ address, bits }) => bits < (familyOf(address) === 'IPv4' ? 32 : 128))
}

function isPod(facts: Facts): boolean {
  const { link, kind, defaultRoute, bridgePort } = facts
  if (defaultRoute || !podKinds.has(kind)) return false
  if (kind === 'veth' || kind === 'netkit') return link.link_netnsid !== undefined && !holdsNodeAddress(facts)
  return bridgePort
}

function classify(facts: Facts, patterns: DevicePatterns, podMasters: ReadonlySet<string>): DeviceClass {
  const { link, kind, defaultRoute } = facts
  const name = link.ifname
  if (patterns.podInterfaces.length > 0 && matches(patterns.podInterfaces, name)) return 'pod'
  if (patterns.devices.length > 0 && matches(patterns.devices, name)) return 'net'
  if (patterns.podInterfaces.length === 0 && isPod(facts)) return 'pod'
  if (kind === 'bridge' && podMasters.has(name) && !defaultRoute) return 'bridge'
  if (patterns.devices.length > 0) return 'other'
  if (link.flags.includes('LOOPBACK')) return 'net'
  if (!link.flags.includes('UP') || addressHolders.has(kind)) return 'other'
  return defaultRoute || overlayKinds.has(kind) || holdsNodeAddress(facts) ? 'net' : 'other'
}

/** Classifies every device of a snapshot; pure. */
export function classifyDevices(snapshot: DeviceSnapshot, patterns: DevicePatterns): readonly NodeDevice[] {
  const bridges = new Set(
    snapshot.links.filter((link) => link.linkinfo?.info_kind === 'bridge').map((link) => link.ifname),
  )
  const all = snapshot.links.map((link): Facts => {
    const found = snapshot.addresses.find((entry) => entry.ifindex === link.ifindex)?.addr_info ?? []
    const addresses = found
      .filter((entry) => entry.scope === 'global' && entry.local !== undefined)
      .map((entry) => ({ address: canonicalAddress(entry.local ?? '') ?? '', bits: entry.prefixlen ?? 0 }))
      .filter((entry) => entry.address !== '')
    return {
      link,
      kind: link.linkinfo?.info_kind ?? '',
      addresses,
      defaultRoute: snapshot.defaultRoutes.has(link.ifname),
      bridgePort: link.master !== undefined && bridges.has(link.master),
    }
  })
  const isPodDevice = (facts: Facts) =>
    patterns.podInterfaces.length > 0 ? matches(patterns.podInterfaces, facts.link.ifname) : isPod(facts)
  const podMasters = new Set(all.filter(isPodDevice).map((facts) => facts.link.master ?? ''))
  return all.map((facts): NodeDevice => {
    const { link, kind, addresses, defaultRoute } = facts
    return {
      ifindex: link.ifindex,
      name: link.ifname,
      class: classify(facts, patterns, podMasters),
      loopback: link.flags.includes('LOOPBACK'),
      overlay: overlayKinds.has(kind),
      ethernet: link.link_type === 'ether',
      veth: kind === 'veth',
      mac: macOf(link),
      master: facts.bridgePort ? link.master : undefined,
      addresses: addresses.map((entry) => entry.address),
      defaultRoute,
      xdpMode: xdpModes[link.xdp?.mode ?? 0],
    }
  })
}

/** The node's own addresses: those of its devices but for pods' interfaces; of default routes first. */
export function nodeAddressesOf(devices: readonly NodeDevice[]): readonly string[] {
  const own = devices.filter((device) => device.class === 'net' || device.class === 'bridge')
  const sorted = [...own].sort((a, b) => Number(b.defaultRoute) - Number(a.defaultRoute))
  return [...new Set(sorted.flatMap((device) => device.addresses))]
}
