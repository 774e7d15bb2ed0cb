// SPDX-License-Identifier: Apache-2.0
/** Numbers of the wire formats that tests build and read. */

export const ETHERNET_BYTES = 14
export const EtherType = { IPV4: 0x0800, ARP: 0x0806, VLAN: 0x8100, IPV6: 0x86dd } as const

/** IANA protocol-numbers. */
export const Protocol = {
  HOPOPTS: 0,
  ICMP: 1,
  TCP: 6,
  UDP: 17,
  IPV6: 41,
  ROUTING: 43,
  FRAGMENT: 44,
  GRE: 47,
  ESP: 50,
  ICMPV6: 58,
  NONE: 59,
  DSTOPTS: 60,
  SCTP: 132,
} as const

/** RFC 792. */
export const Icmp4 = { ECHO_REPLY: 0, UNREACHABLE: 3, ECHO: 8, TIME_EXCEEDED: 11 } as const
/** RFC 4443. */
export const Icmp6 = { UNREACHABLE: 1, TOO_BIG: 2, TIME_EXCEEDED: 3, ECHO: 128, ECHO_REPLY: 129 } as const

/** Bits of TCP's flags octet by the letter that tcpdump prints. */
export const tcpFlags: Readonly<Record<string, number>> = { F: 0x01, S: 0x02, R: 0x04, P: 0x08, A: 0x10 }

/** Chunk types (RFC 9260, 3.2). */
export const Chunk = { DATA: 0, INIT: 1, INIT_ACK: 2, ABORT: 6, SHUTDOWN_COMPLETE: 14 } as const

/** The extension headers that are skipped by their length. */
export function isExtension(protocol: number): boolean {
  return protocol === Protocol.HOPOPTS || protocol === Protocol.ROUTING || protocol === Protocol.DSTOPTS
}
