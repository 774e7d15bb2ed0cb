// SPDX-License-Identifier: Apache-2.0
/** Packets for tests, built layer by layer, every length and checksum right unless a test spoils it. */

import { type Address, isIpv4, parseAddress } from '../../../src/abi/address.ts'
import { internetChecksum, pseudoHeaderSum } from '../../../src/reference/checksum.ts'
import { crc32c } from '../../../src/trace/crc32c.ts'
import { ETHERNET_BYTES, EtherType, Protocol, tcpFlags } from './packet-format.ts'

export type Mac = readonly [number, number, number, number, number, number]

/** Where frames of tests come from and go to, unless said otherwise. */
export const senderMac: Mac = [2, 0, 0, 0, 0, 1]
export const nodeMac: Mac = [2, 0, 0, 0, 0, 2]

interface Tcp {
  readonly kind: 'tcp'
  readonly sport: number
  readonly dport: number
  /** Letters of {@link tcpFlags}. */
  readonly flags: string
  readonly seq: number
  readonly ack: number
  readonly window: number
  readonly options: Uint8Array
}
interface Udp {
  readonly kind: 'udp'
  readonly sport: number
  readonly dport: number
  /** False: zero, as a sender may leave it over IPv4 (RFC 768). */
  readonly checksum: boolean
}
interface Sctp {
  readonly kind: 'sctp'
  readonly sport: number
  readonly dport: number
}
interface IcmpMessage {
  readonly kind: 'icmp'
  readonly type: number
  readonly code: number
  /** The header's last four bytes. */
  readonly rest: number
}
interface Raw {
  readonly kind: 'raw'
  readonly protocol: number
}
type Transport = Tcp | Udp | Sctp | IcmpMessage | Raw

interface Layers {
  readonly macs: { readonly dst: Mac; readonly src: Mac }
  readonly src: Address
  readonly dst: Address
  readonly ttl: number
  /** IPv4 alone. */
  readonly id: number
  readonly df: boolean
  readonly options: Uint8Array
  readonly extensions: readonly { readonly protocol: number; readonly body: Uint8Array }[]
  readonly transport: Transport
  readonly payload: Uint8Array
}

/** An immutable description; each method returns another one. */
export class Packet {
  readonly #layers: Layers

  constructor(layers: Layers) {
    this.#layers = layers
  }

  get layers(): Layers {
    return this.#layers
  }

  #with(change: Partial<Layers>): Packet {
    return new Packet({ ...this.#layers, ...change })
  }

  macs(dst: Mac, src: Mac): Packet {
    return this.#with({ macs: { dst, src } })
  }

  /** The frame as its receiver would answer: MACs turned round. */
  back(): Packet {
    const { dst, src } = this.#layers.macs
    return this.macs(src, dst)
  }

  /** IPv4's TTL, IPv6's hop limit. */
  ttl(ttl: number): Packet {
    return this.#with({ ttl })
  }

  /** IPv4 alone. */
  df(df: boolean): Packet {
    return this.#with({ df })
  }

  id(id: number): Packet {
    return this.#with({ id })
  }

  /** IPv4 options, a multiple of four bytes. */
  options(options: Uint8Array): Packet {
    return this.#with({ options })
  }

  /** Adds an IPv6 extension header; `body` follows next header and length, and makes a multiple of eight with them. */
  extension(protocol: number, body: Uint8Array): Packet {
    return this.#with({ extensions: [...this.#layers.extensions, { protocol, body }] })
  }

  tcp(sport: number, dport: number, more: Partial<Omit<Tcp, 'kind' | 'sport' | 'dport'>> = {}): Packet {
    const defaults = { flags: 'S', seq: 1000, ack: 0, window: 0xfaf0, options: new Uint8Array() }
    return this.#with({ transport: { kind: 'tcp', sport, dport, ...defaults, ...more } })
  }

  udp(sport: number, dport: number, more: { readonly checksum?: boolean } = {}): Packet {
    return this.#with({ transport: { kind: 'udp', sport, dport, checksum: more.checksum ?? true } })
  }

  sctp(sport: number, dport: number): Packet {
    return this.#with({ transport: { kind: 'sctp', sport, dport } })
  }

  /** ICMP over IPv4, ICMPv6 over IPv6. */
  icmp(type: number, code = 0, rest = 0): Packet {
    return this.#with({ transport: { kind: 'icmp', type, code, rest } })
  }

  raw(protocol: number): Packet {
    return this.#with({ transport: { kind: 'raw', protocol } })
  }

  /** Bytes, or so many bytes of a pattern. */
  payload(payload: Uint8Array | number): Packet {
    const bytes = typeof payload === 'number' ? Uint8Array.from({ length: payload }, (_, at) => at * 7 + 1) : payload
    return this.#with({ payload: bytes })
  }

  /** SCTP: a chunk of a type, with so many bytes of a pattern in it. */
  chunk(type: number, length = 16): Packet {
    return this.payload(concat(Uint8Array.of(type, 0, 0, 4 + length), this.payload(length).layers.payload))
  }

  /** The payload of an ICMP error: the IP packet in `frame`, cut after `length` bytes. */
  quote(frame: Uint8Array, length = Number.POSITIVE_INFINITY): Packet {
    return this.payload(frame.slice(ETHERNET_BYTES, Math.min(frame.length, ETHERNET_BYTES + length)))
  }

  /** The same packet with another source; the port where the transport has one. */
  from(address: string, port?: number): Packet {
    return this.#with({ src: parseAddress(address), transport: withPort(this.#layers.transport, 'sport', port) })
  }

  to(address: string, port?: number): Packet {
    return this.#with({ dst: parseAddress(address), transport: withPort(this.#layers.transport, 'dport', port) })
  }

  /** TCP's flags, and whatever else of it. */
  flags(flags: string, more: { readonly seq?: number; readonly ack?: number } = {}): Packet {
    const { transport } = this.#layers
    if (transport.kind !== 'tcp') throw new TypeError(`${transport.kind} has no flags`)
    return this.#with({ transport: { ...transport, flags, ...more } })
  }

  /** The frame, from the Ethernet header on. */
  bytes(): Uint8Array {
    const layers = this.#layers
    const v6 = !isIpv4(layers.src)
    const body = transportBytes(layers, v6)
    const ip = v6 ? ipv6Bytes(layers, body.length) : ipv4Bytes(layers, body.length)
    return concat(ethernetBytes(layers.macs, v6 ? EtherType.IPV6 : EtherType.IPV4), ip, body)
  }
}

/** A packet without transport yet, from one address to another of the same family. */
export function packet(src: string, dst: string): Packet {
  return new Packet({
    macs: { dst: nodeMac, src: senderMac },
    src: parseAddress(src),
    dst: parseAddress(dst),
    ttl: 64,
    id: 0,
    df: true,
    options: new Uint8Array(),
    extensions: [],
    transport: { kind: 'raw', protocol: Protocol.NONE },
    payload: new Uint8Array(),
  })
}

function withPort(transport: Transport, which: 'sport' | 'dport', port: number | undefined): Transport {
  if (port === undefined) return transport
  if (!('sport' in transport)) throw new TypeError(`${transport.kind} has no ports`)
  return { ...transport, [which]: port }
}

export function ethernetBytes(macs: { readonly dst: Mac; readonly src: Mac }, type: number): Uint8Array {
  return Uint8Array.of(...macs.dst, ...macs.src, type >>> 8, type & 0xff)
}

/** The protocol number that the header before the transport names. */
function protocolOf(transport: Transport, v6: boolean): number {
  switch (transport.kind) {
    case 'tcp':
      return Protocol.TCP
    case 'udp':
      return Protocol.UDP
    case 'sctp':
      return Protocol.SCTP
    case 'icmp':
      return v6 ? Protocol.ICMPV6 : Protocol.ICMP
    case 'raw':
      return transport.protocol
  }
}

function ipv4Bytes(layers: Layers, bodyLength: number): Uint8Array {
  const header = new Uint8Array(20 + layers.options.length)
  const view = new DataView(header.buffer)
  header[0] = 0x40 | (header.length / 4)
  view.setUint16(2, header.length + bodyLength)
  view.setUint16(4, layers.id)
  view.setUint16(6, layers.df ? 0x4000 : 0)
  header[8] = layers.ttl
  header[9] = protocolOf(layers.transport, false)
  header.set(layers.src.subarray(12), 12)
  header.set(layers.dst.subarray(12), 16)
  header.set(layers.options, 20)
  view.setUint16(10, internetChecksum(header))
  return header
}

function ipv6Bytes(layers: Layers, bodyLength: number): Uint8Array {
  const protocols = [...layers.extensions.map(({ protocol }) => protocol), protocolOf(layers.transport, true)]
  const extensions = layers.extensions.map(({ body }, index) =>
    Uint8Array.of(protocols[index + 1] as number, (body.length + 2) / 8 - 1, ...body),
  )
  const header = new Uint8Array(40)
  const view = new DataView(header.buffer)
  header[0] = 0x60
  view.setUint16(4, bodyLength + extensions.reduce((sum, { length }) => sum + length, 0))
  header[6] = protocols[0] as number
  header[7] = layers.ttl
  header.set(layers.src, 8)
  header.set(layers.dst, 24)
  return concat(header, ...extensions)
}

function transportBytes(layers: Layers, v6: boolean): Uint8Array {
  const { transport, payload } = layers
  const header = new Uint8Array(headerLength(transport))
  const bytes = concat(header, payload)
  const view = new DataView(bytes.buffer)
  if ('sport' in transport) {
    view.setUint16(0, transport.sport)
    view.setUint16(2, transport.dport)
  }
  const skip = v6 ? 0 : 12
  const pseudo = pseudoHeaderSum(
    layers.src.subarray(skip),
    layers.dst.subarray(skip),
    protocolOf(transport, v6),
    bytes.length,
  )
  switch (transport.kind) {
    case 'tcp':
      view.setUint32(4, transport.seq)
      view.setUint32(8, transport.ack)
      bytes[12] = (header.length / 4) << 4
      bytes[13] = [...transport.flags].reduce((flags, letter) => flags | (tcpFlags[letter] as number), 0)
      view.setUint16(14, transport.window)
      bytes.set(transport.options, 20)
      view.setUint16(16, internetChecksum(bytes, pseudo))
      break
    case 'udp':
      view.setUint16(4, bytes.length)
      // RFC 768: a sum of zero is sent as all ones.
      if (transport.checksum) view.setUint16(6, internetChecksum(bytes, pseudo) || 0xffff)
      break
    case 'sctp':
      view.setUint32(4, 0x5eed5eed)
      view.setUint32(8, crc32c(bytes), true)
      break
    case 'icmp':
      bytes[0] = transport.type
      bytes[1] = transport.code
      view.setUint32(4, transport.rest)
      view.setUint16(2, internetChecksum(bytes, v6 ? pseudo : 0))
      break
    case 'raw':
      break
  }
  return bytes
}

function headerLength(transport: Transport): number {
  switch (transport.kind) {
    case 'tcp':
      return 20 + transport.options.length
    case 'sctp':
      return 12
    case 'udp':
    case 'icmp':
      return 8
    case 'raw':
      return 0
  }
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
