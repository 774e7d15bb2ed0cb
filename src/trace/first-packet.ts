// SPDX-License-Identifier: Apache-2.0
/** The bytes of a connection's first packet: a SYN, a datagram, an INIT. */

import { isIpv4 } from '../abi/address.ts'
import { ipProtocol } from '../compiler/ip-protocol.ts'
import type { Protocol } from '../model/types.ts'
import { internetChecksum, pseudoHeaderSum } from '../reference/checksum.ts'
import { crc32c } from './crc32c.ts'
import type { TracePacket } from './trace-packet.ts'

/** Locally administered (RFC 9542, 2.1): of no device. */
const DESTINATION_MAC = [0x02, 0, 0, 0, 0, 0x01]
const SOURCE_MAC = [0x02, 0, 0, 0, 0, 0x02]
const ETHERTYPE = { ipv4: 0x0800, ipv6: 0x86dd }

const IPV4_BYTES = 20
const IPV6_BYTES = 40
/** What hosts start with: a router on the way changes no answer. */
const TTL = 64

const TCP_SYN = 0x02
const SCTP_INIT = 1
const UDP_PAYLOAD = new TextEncoder().encode('maglane trace')

/** From the Ethernet header on, every checksum right. */
export function firstPacket(packet: TracePacket): Uint8Array {
  const v4 = isIpv4(packet.source.address)
  const transport = transportOf[packet.protocol](packet)
  const { source, destination, protocol } = packet
  const [from, to] = [source, destination].map(({ address }) => (v4 ? address.subarray(12) : address))
  sign[protocol](transport, pseudoHeaderSum(from!, to!, ipProtocol[protocol], transport.length))
  const header = v4 ? ipv4Header(packet, transport.length) : ipv6Header(packet, transport.length)
  const type = v4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6
  return Uint8Array.from([...DESTINATION_MAC, ...SOURCE_MAC, type >> 8, type & 0xff, ...header, ...transport])
}

/** Without their checksums. */
const transportOf: Readonly<Record<Protocol, (packet: TracePacket) => Uint8Array>> = {
  TCP: (packet) => {
    const { bytes, view } = withPorts(packet, 20)
    view.setUint32(4, 1)
    bytes.set([5 << 4, TCP_SYN, 0xff, 0xff], 12)
    return bytes
  },
  UDP: (packet) => {
    const { bytes, view } = withPorts(packet, 8 + UDP_PAYLOAD.length)
    view.setUint16(4, bytes.length)
    bytes.set(UDP_PAYLOAD, 8)
    return bytes
  },
  // Common header with verification tag 0, then the chunk (RFC 9260, 3.1 and 3.3.2).
  SCTP: (packet) => {
    const { bytes, view } = withPorts(packet, 12 + 20)
    view.setUint8(12, SCTP_INIT)
    view.setUint16(14, 20)
    view.setUint32(16, 1)
    view.setUint32(20, 0xffff)
    view.setUint16(24, 1)
    view.setUint16(26, 1)
    view.setUint32(28, 1)
    return bytes
  },
}

/** Fills the checksum in. */
const sign: Readonly<Record<Protocol, (transport: Uint8Array, pseudo: number) => void>> = {
  TCP: (bytes, pseudo) => viewOf(bytes).setUint16(16, internetChecksum(bytes, pseudo)),
  // A sum of zero is sent as its other form: zero says that there is none (RFC 768).
  UDP: (bytes, pseudo) => viewOf(bytes).setUint16(6, internetChecksum(bytes, pseudo) || 0xffff),
  SCTP: (bytes) => viewOf(bytes).setUint32(8, crc32c(bytes), true),
}

function withPorts({ source, destination }: TracePacket, length: number) {
  const bytes = new Uint8Array(length)
  const view = viewOf(bytes)
  view.setUint16(0, source.port)
  view.setUint16(2, destination.port)
  return { bytes, view }
}

function ipv4Header({ source, destination, protocol }: TracePacket, payload: number): Uint8Array {
  const bytes = new Uint8Array(IPV4_BYTES)
  const view = viewOf(bytes)
  bytes.set([0x45, 0])
  view.setUint16(2, IPV4_BYTES + payload)
  // Don't fragment, as path MTU discovery sends it.
  view.setUint16(6, 0x4000)
  bytes.set([TTL, ipProtocol[protocol]], 8)
  bytes.set(source.address.subarray(12), 12)
  bytes.set(destination.address.subarray(12), 16)
  view.setUint16(10, internetChecksum(bytes))
  return bytes
}

function ipv6Header({ source, destination, protocol }: TracePacket, payload: number): Uint8Array {
  const bytes = new Uint8Array(IPV6_BYTES)
  bytes[0] = 0x60
  viewOf(bytes).setUint16(4, payload)
  bytes.set([ipProtocol[protocol], TTL], 6)
  bytes.set(source.address, 8)
  bytes.set(destination.address, 24)
  return bytes
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
