// SPDX-License-Identifier: Apache-2.0
/** The first packet of a connection, from the Ethernet header on. */

import { addressFromBytes, parseAddress } from '../../src/abi/address.ts'

const ETHERNET = 14
const IPV4 = 20
const TCP = 20

/** A TCP SYN over IPv4 with right checksums. */
export function tcpSyn(source: string, sourcePort: number, destination: string, destinationPort: number): Uint8Array {
  const packet = new Uint8Array(ETHERNET + IPV4 + TCP)
  const view = new DataView(packet.buffer)
  view.setUint16(12, 0x0800)
  packet.set([0x45, 0, 0, IPV4 + TCP, 0, 1, 0x40, 0, 64, 6], ETHERNET)
  packet.set(ipv4(source), ETHERNET + 12)
  packet.set(ipv4(destination), ETHERNET + 16)
  view.setUint16(ETHERNET + 10, checksum(packet.subarray(ETHERNET, ETHERNET + IPV4), 0))
  const tcp = ETHERNET + IPV4
  view.setUint16(tcp, sourcePort)
  view.setUint16(tcp + 2, destinationPort)
  packet.set([TCP << 2, 2, 0xff, 0xff], tcp + 12)
  // The pseudo header (RFC 9293, 3.1): addresses, protocol, length.
  const pseudo = sum(packet.subarray(ETHERNET + 12, ETHERNET + 20)) + 6 + TCP
  view.setUint16(tcp + 16, checksum(packet.subarray(tcp), pseudo))
  return packet
}

function ipv4(address: string): Uint8Array {
  return addressFromBytes(parseAddress(address)).subarray(12)
}

function sum(bytes: Uint8Array): number {
  let total = 0
  for (let at = 0; at < bytes.length; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
  return total
}

function checksum(bytes: Uint8Array, start: number): number {
  let total = start + sum(bytes)
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16)
  return ~total & 0xffff
}
