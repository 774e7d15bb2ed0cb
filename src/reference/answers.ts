// SPDX-License-Identifier: Apache-2.0
/** What a VIP itself sends back: RST (RFC 9293, 3.10.7.1), ICMP errors (RFC 792, RFC 4443). */

import { internetChecksum, pseudoHeaderSum } from './checksum.ts'
import type { AddressText, Frame } from './read-frame.ts'

const TCP = 6
const SYN = 0x02
const FIN = 0x01
const RST = 0x04
const ACK = 0x10

/** An answer's TTL: that of a fresh packet. */
const TTL = 64

/** A refusal as a closed port would send it; undefined where none can be built. */
export function refusalOf(sent: Uint8Array, frame: Frame): Uint8Array | undefined {
  if (frame.tuple.protocol === TCP) return resetOf(sent, frame)
  return icmpErrorOf(sent, frame, frame.v6 ? [1, 4] : [3, 3])
}

/** Undefined where none can be built. */
export function timeExceededOf(sent: Uint8Array, frame: Frame): Uint8Array | undefined {
  return icmpErrorOf(sent, frame, frame.v6 ? [3, 0] : [11, 0])
}

function resetOf(sent: Uint8Array, frame: Frame): Uint8Array {
  const view = new DataView(sent.buffer, sent.byteOffset, sent.length)
  const flags = frame.tcpFlags
  const segment = new Uint8Array(20)
  const out = new DataView(segment.buffer)
  out.setUint16(0, frame.tuple.dport)
  out.setUint16(2, frame.tuple.sport)
  segment[12] = 5 << 4
  if (flags & ACK) {
    out.setUint32(4, view.getUint32(frame.l4 + 8))
    segment[13] = RST
  } else {
    const payload = frame.claimedLength - (frame.l4 - frame.l3) - (view.getUint8(frame.l4 + 12) >>> 4) * 4
    const taken = payload + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0)
    out.setUint32(8, view.getUint32(frame.l4 + 4) + taken)
    segment[13] = RST | ACK
  }
  out.setUint16(16, internetChecksum(segment, pseudoHeader(frame, TCP, segment.length)))
  return fromVip(sent, frame, TCP, segment)
}

/** Quotes the IP header and as much of the transport's as tells its flow. */
function icmpErrorOf(
  sent: Uint8Array,
  frame: Frame,
  [type, code]: readonly [type: number, code: number],
): Uint8Array | undefined {
  const headerLength = frame.v6 ? 40 : 20
  // An IPv6 fragment is told by its fragment header.
  const fragmentHeader = frame.v6 && frame.fragment === 'first' ? 8 : 0
  const headers = headerLength + fragmentHeader
  // Never about an error (RFC 1122, 3.2.2). With options the ports would not stand where a receiver needs them.
  if (frame.kind === 'error' || frame.fragment === 'later' || frame.l4 - frame.l3 !== headers) return undefined
  const quoted = headers + (frame.tuple.protocol === TCP && !fragmentHeader ? 20 : 8)
  const message = new Uint8Array(8 + quoted)
  message[0] = type
  message[1] = code
  message.set(sent.subarray(frame.l3, frame.l3 + quoted), 8)
  const protocol = frame.v6 ? 58 : 1
  const pseudo = frame.v6 ? pseudoHeader(frame, protocol, message.length) : 0
  new DataView(message.buffer).setUint16(2, internetChecksum(message, pseudo))
  return fromVip(sent, frame, protocol, message)
}

/** The same for both directions. */
function pseudoHeader({ v6, tuple }: Frame, protocol: number, length: number): number {
  const skip = v6 ? 0 : 12
  return pseudoHeaderSum(bytesOf(tuple.src).subarray(skip), bytesOf(tuple.dst).subarray(skip), protocol, length)
}

function fromVip(sent: Uint8Array, frame: Frame, protocol: number, body: Uint8Array): Uint8Array {
  const headerLength = frame.v6 ? 40 : 20
  const bytes = new Uint8Array(14 + headerLength + body.length)
  const view = new DataView(bytes.buffer)
  const header = bytes.subarray(14, 14 + headerLength)
  bytes.set(sent.subarray(6, 12), 0)
  bytes.set(sent.subarray(0, 6), 6)
  const [from, to] = [bytesOf(frame.tuple.dst), bytesOf(frame.tuple.src)]
  if (frame.v6) {
    view.setUint16(12, 0x86dd)
    header.set([0x60, 0, 0, 0, body.length >>> 8, body.length & 0xff, protocol, TTL])
    header.set(from, 8)
    header.set(to, 24)
  } else {
    view.setUint16(12, 0x0800)
    const length = headerLength + body.length
    header.set([0x45, 0, length >>> 8, length & 0xff, 0, 0, 0, 0, TTL, protocol])
    header.set(from.subarray(12), 12)
    header.set(to.subarray(12), 16)
    view.setUint16(14 + 10, internetChecksum(header))
  }
  bytes.set(body, 14 + headerLength)
  return bytes
}

function bytesOf(address: AddressText): Uint8Array {
  return Uint8Array.from(address, (character) => character.charCodeAt(0))
}
