// SPDX-License-Identifier: Apache-2.0
/** Reads a frame back and checks every checksum and length in it, those of a quoted packet too. */

import { addressFromBytes, formatAddress } from '../../../src/abi/address.ts'
import { checksumHolds, pseudoHeaderSum } from '../../../src/reference/checksum.ts'
import { crc32c } from '../../../src/trace/crc32c.ts'
import { ETHERNET_BYTES, EtherType, isExtension, Protocol, tcpFlags } from './packet-format.ts'

export interface ReadPacket {
  readonly macs: string
  readonly src: string
  readonly dst: string
  readonly ttl: number
  readonly protocol: number
  readonly sport?: number
  readonly dport?: number
  /** Letters of {@link tcpFlags}. */
  readonly flags?: string
  readonly seq?: number
  readonly ack?: number
  readonly icmp?: { readonly type: number; readonly code: number; readonly rest: number; readonly quote?: ReadPacket }
  readonly fragment?: { readonly offset: number; readonly more: boolean }
  readonly payload: Uint8Array
  /** Checksums and lengths that do not hold. */
  readonly faults: readonly string[]
}

/** @throws RangeError where the frame ends within a header. */
export function readPacket(frame: Uint8Array): ReadPacket {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  const macs = `${hex(frame.subarray(6, 12))} > ${hex(frame.subarray(0, 6))}`
  const type = new DataView(frame.buffer, frame.byteOffset).getUint16(12)
  if (type !== EtherType.IPV4 && type !== EtherType.IPV6) throw new RangeError(`Not IP: ${type.toString(16)}`)
  const read = readIp(frame.subarray(ETHERNET_BYTES), false)
  const v6 = read.src.includes(':')
  const faults = v6 === (type === EtherType.IPV6) ? read.faults : [...read.faults, 'EtherType and IP version differ']
  return { ...read, macs, faults }
}

/** @param cut The packet is a quote that may end early: only what is there in whole is checked. */
function readIp(bytes: Uint8Array, cut: boolean): ReadPacket {
  return (bytes[0] as number) >>> 4 === 6 ? readIpv6(bytes, cut) : readIpv4(bytes, cut)
}

function readIpv4(bytes: Uint8Array, cut: boolean): ReadPacket {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const headerLength = ((bytes[0] as number) & 15) * 4
  const faults: string[] = []
  if (!checksumHolds(bytes.subarray(0, headerLength))) faults.push('IPv4 header checksum')
  const length = view.getUint16(2)
  if (!cut && length !== bytes.length) faults.push(`IPv4 total length is ${length}, the frame has ${bytes.length}`)
  const fragment = view.getUint16(6) & 0x3fff
  return readTransport(bytes.subarray(headerLength), {
    src: bytes.subarray(12, 16),
    dst: bytes.subarray(16, 20),
    ttl: view.getUint8(8),
    protocol: view.getUint8(9),
    whole: bytes.length >= length,
    fragment: fragment ? { offset: (fragment & 0x1fff) * 8, more: (fragment & 0x2000) !== 0 } : undefined,
    faults,
  })
}

function readIpv6(bytes: Uint8Array, cut: boolean): ReadPacket {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const faults: string[] = []
  const length = 40 + view.getUint16(4)
  if (!cut && length !== bytes.length) faults.push(`IPv6 length is ${length}, the frame has ${bytes.length}`)
  let protocol = view.getUint8(6)
  let at = 40
  let fragment: ReadPacket['fragment']
  while (isExtension(protocol) || protocol === Protocol.FRAGMENT) {
    const next = view.getUint8(at)
    if (protocol === Protocol.FRAGMENT) {
      const word = view.getUint16(at + 2)
      if (word & 0xfff9) fragment = { offset: word & 0xfff8, more: (word & 1) !== 0 }
      at += 8
    } else {
      at += 8 + view.getUint8(at + 1) * 8
    }
    protocol = next
    if (fragment && fragment.offset > 0) break
  }
  return readTransport(bytes.subarray(at), {
    src: bytes.subarray(8, 24),
    dst: bytes.subarray(24, 40),
    ttl: view.getUint8(7),
    protocol,
    whole: bytes.length >= length,
    fragment,
    faults,
  })
}

interface Network {
  readonly src: Uint8Array
  readonly dst: Uint8Array
  readonly ttl: number
  readonly protocol: number
  readonly whole: boolean
  readonly fragment: ReadPacket['fragment'] | undefined
  readonly faults: string[]
}

function readTransport(bytes: Uint8Array, network: Network): ReadPacket {
  const { src, dst, ttl, protocol, whole, fragment, faults } = network
  const base = {
    macs: '',
    src: formatAddress(addressFromBytes(src)),
    dst: formatAddress(addressFromBytes(dst)),
    ttl,
    protocol,
    faults,
    ...(fragment ? { fragment } : {}),
  }
  if (fragment && fragment.offset > 0) return { ...base, payload: bytes }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  // A fragment's checksum covers what is not here.
  const complete = whole && !fragment
  const pseudo = pseudoHeaderSum(src, dst, protocol, bytes.length)
  const holds = (name: string, start: number) => {
    if (complete && !checksumHolds(bytes, start)) faults.push(`${name} checksum`)
  }
  switch (protocol) {
    case Protocol.TCP: {
      const ports = { sport: view.getUint16(0), dport: view.getUint16(2) }
      if (bytes.length < 20) return { ...base, ...ports, payload: bytes.subarray(4) }
      holds('TCP', pseudo)
      const flags = Object.entries(tcpFlags).flatMap(([letter, bit]) => (view.getUint8(13) & bit ? [letter] : []))
      return {
        ...base,
        ...ports,
        flags: flags.join(''),
        seq: view.getUint32(4),
        ack: view.getUint32(8),
        payload: bytes.subarray((view.getUint8(12) >>> 4) * 4),
      }
    }
    case Protocol.UDP:
      if (view.getUint16(6) !== 0) holds('UDP', pseudo)
      if (complete && view.getUint16(4) !== bytes.length) faults.push('UDP length')
      return { ...base, sport: view.getUint16(0), dport: view.getUint16(2), payload: bytes.subarray(8) }
    case Protocol.SCTP: {
      const ports = { sport: view.getUint16(0), dport: view.getUint16(2) }
      if (bytes.length < 12) return { ...base, ...ports, payload: bytes.subarray(4) }
      const zeroed = Uint8Array.from(bytes)
      zeroed.fill(0, 8, 12)
      if (complete && crc32c(zeroed) !== view.getUint32(8, true)) faults.push('SCTP checksum')
      return { ...base, ...ports, payload: bytes.subarray(12) }
    }
    case Protocol.ICMP:
    case Protocol.ICMPV6: {
      const v6 = protocol === Protocol.ICMPV6
      holds('ICMP', v6 ? pseudo : 0)
      const icmp = { type: view.getUint8(0), code: view.getUint8(1), rest: view.getUint32(4) }
      const payload = bytes.subarray(8)
      const isError = v6 ? icmp.type >= 1 && icmp.type <= 4 : [3, 11, 12].includes(icmp.type)
      const quote = isError && payload.length >= (v6 ? 48 : 28) ? readIp(payload, true) : undefined
      if (quote) faults.push(...quote.faults.map((fault) => `quoted: ${fault}`))
      return { ...base, icmp: { ...icmp, ...(quote ? { quote } : {}) }, payload }
    }
    default:
      return { ...base, payload: bytes }
  }
}
