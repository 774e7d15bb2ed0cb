// SPDX-License-Identifier: Apache-2.0
/** The same places in both families, and the same packets over both transports. */

import { type Packet, packet } from './packet.ts'
import { nodeIp4, nodeIp6 } from './test-node.ts'

export interface Places {
  readonly vip: string
  readonly otherVip: string
  /** A load balancer's address, and an external one. */
  readonly balancer: string
  readonly external: string
  readonly node: string
  readonly podHere: string
  readonly otherPodHere: string
  readonly podThere: string
  readonly otherPodThere: string
  /** Outside of the cluster. */
  readonly client: string
  readonly otherClient: string
  readonly router: string
}

export const families: Readonly<Record<'IPv4' | 'IPv6', Places>> = {
  IPv4: {
    ...{ vip: '10.96.0.1', otherVip: '10.96.0.2', balancer: '198.51.100.1', external: '198.51.100.2', node: nodeIp4 },
    ...{ podHere: '10.1.0.5', otherPodHere: '10.1.0.6', podThere: '10.2.0.7', otherPodThere: '10.2.0.8' },
    ...{ client: '203.0.113.9', otherClient: '203.0.113.10', router: '203.0.113.1' },
  },
  IPv6: {
    ...{ vip: 'fd00:96::1', otherVip: 'fd00:96::2', node: nodeIp6 },
    ...{ balancer: '2001:db8:b::1', external: '2001:db8:b::2' },
    ...{ podHere: 'fd00:10:1::5', otherPodHere: 'fd00:10:1::6' },
    ...{ podThere: 'fd00:10:2::7', otherPodThere: 'fd00:10:2::8' },
    ...{ client: '2001:db8:c::9', otherClient: '2001:db8:c::10', router: '2001:db8:c::1' },
  },
}

export const familyEntries = Object.entries(families) as readonly ['IPv4' | 'IPv6', Places][]

export type L4 = 'TCP' | 'UDP'
export const transports: readonly L4[] = ['TCP', 'UDP']

/** A datagram, or a segment with these flags, of an odd length so that checksums are padded. */
export function l4Packet(l4: L4, src: string, sport: number, dst: string, dport: number, flags = 'S'): Packet {
  const base = packet(src, dst).payload(17)
  return l4 === 'TCP' ? base.tcp(sport, dport, { flags }) : base.udp(sport, dport)
}
