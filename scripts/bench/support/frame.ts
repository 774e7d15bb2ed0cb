// SPDX-License-Identifier: Apache-2.0
/** TCP packets as the bench's driver presents them. */

import type { Address } from '../../../src/abi/address.ts'
import { isIpv4 } from '../../../src/abi/address.ts'

/** Bytes of struct bench_frame: an Ethernet header, two bytes of padding, IP and TCP. */
export const FRAME_BYTES = 80
/** Where the IP header starts in it. */
const IP_OFFSET = 16
const ETHERNET_BYTES = 14
const TCP_BYTES = 20
const TCP = 6

export const TcpFlag = { SYN: 0x02, ACK: 0x10 } as const

/** What tells one packet from another. Ports in host order. */
export interface Tuple {
  readonly src: Address
  readonly dst: Address
  readonly sport: number
  readonly dport: number
}

/** Writes a packet without payload, with right checksums, at `offset`. */
export function writeFrame(view: DataView, offset: number, tuple: Tuple, flags: number): void {
  const v4 = isIpv4(tuple.src)
  const ip = offset + IP_OFFSET
  const tcp = ip + (v4 ? 20 : 40)
  new Uint8Array(view.buffer, view.byteOffset + offset, FRAME_BYTES).fill(0)
  // Locally administered addresses: the router's side, the node's side.
  view.setUint32(offset, 0x02000000)
  view.setUint16(offset + 4, 0x0001)
  view.setUint32(offset + 6, 0x02000000)
  view.setUint16(offset + 10, 0x0002)
  view.setUint16(offset + 12, v4 ? 0x0800 : 0x86dd)
  const addresses = v4 ? writeIpv4(view, ip, tuple) : writeIpv6(view, ip, tuple)
  view.setUint16(tcp, tuple.sport)
  view.setUint16(tcp + 2, tuple.dport)
  view.setUint32(tcp + 4, 1000)
  view.setUint32(tcp + 8, flags & TcpFlag.ACK ? 2000 : 0)
  view.setUint8(tcp + 12, (TCP_BYTES / 4) << 4)
  view.setUint8(tcp + 13, flags)
  view.setUint16(tcp + 14, 0xffff)
  view.setUint16(tcp + 16, checksum(view, tcp, TCP_BYTES, addresses + TCP + TCP_BYTES))
}

/** @returns the sum of the addresses, for the pseudo header. */
function writeIpv4(view: DataView, ip: number, { src, dst }: Tuple): number {
  view.setUint8(ip, 0x45)
  view.setUint16(ip + 2, 20 + TCP_BYTES)
  view.setUint16(ip + 6, 0x4000)
  view.setUint8(ip + 8, 64)
  view.setUint8(ip + 9, TCP)
  for (let i = 0; i < 4; i++) {
    view.setUint8(ip + 12 + i, src[12 + i] as number)
    view.setUint8(ip + 16 + i, dst[12 + i] as number)
  }
  view.setUint16(ip + 10, checksum(view, ip, 20, 0))
  return sum(view, ip + 12, 8)
}

function writeIpv6(view: DataView, ip: number, { src, dst }: Tuple): number {
  view.setUint32(ip, 0x60000000)
  view.setUint16(ip + 4, TCP_BYTES)
  view.setUint8(ip + 6, TCP)
  view.setUint8(ip + 7, 64)
  for (let i = 0; i < 16; i++) {
    view.setUint8(ip + 8 + i, src[i] as number)
    view.setUint8(ip + 24 + i, dst[i] as number)
  }
  return sum(view, ip + 8, 32)
}

function sum(view: DataView, offset: number, length: number): number {
  let total = 0
  for (let i = 0; i < length; i += 2) total += view.getUint16(offset + i)
  return total
}

/** RFC 1071, over fields whose checksum is zero. */
function checksum(view: DataView, offset: number, length: number, start: number): number {
  let total = start + sum(view, offset, length)
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16)
  return ~total & 0xffff
}

/** A packet to run a driver on: any bytes of the right length, as the driver overwrites them. */
export function blankPacket(family: 4 | 6): Uint8Array {
  return new Uint8Array(ETHERNET_BYTES + (family === 4 ? 20 : 40) + TCP_BYTES)
}
