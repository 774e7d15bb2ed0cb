// SPDX-License-Identifier: Apache-2.0
/** What a frame's headers say, as far as a Service proxy looks. */

/** 16 bytes, one a character; IPv4 in its mapped form. */
export type AddressText = string

export interface Frame {
  readonly v6: boolean
  /** Offsets from the frame's start. */
  readonly l3: number
  readonly l4: number
  /** Bytes that the IP header claims, itself included. */
  readonly claimedLength: number
  readonly ttl: number
  /** The protocol of the packet itself; of an ICMP error the tuple has another. */
  readonly protocol: number
  readonly fragment: 'none' | 'first' | 'later'
  /** As on the wire; '' where the packet is no fragment. */
  readonly fragmentId: string
  /** `transport`: has ports. `error`: the tuple is that of an answer to the packet that it quotes. */
  readonly kind: 'transport' | 'error' | 'ping' | 'other'
  readonly tuple: Tuple
  readonly tcpFlags: number
  /** What the packet says of its connection's life. */
  readonly life: Life
  readonly quote: { readonly l3: number; readonly l4: number } | undefined
}

export interface Life {
  /** It may be a connection's first: SYN, INIT, any datagram. */
  readonly starts: boolean
  /** Its sender has sent all: FIN. */
  readonly ends: boolean
  /** It is over for both: RST, ABORT, SHUTDOWN COMPLETE. */
  readonly breaks: boolean
}

export interface Tuple {
  readonly src: AddressText
  readonly dst: AddressText
  readonly sport: number
  readonly dport: number
  readonly protocol: number
}

/** Why a frame is not looked at any further. */
export type Unread = 'PASS_NOT_IP' | 'PASS_UNSUPPORTED' | 'DROP_MALFORMED'

const ETHERNET = 14
const TCP = 6
const UDP = 17
const ICMP = 1
const ICMPV6 = 58
const SCTP = 132
const FRAGMENT_HEADER = 44
const [FIN, SYN, RST, ACK] = [0x01, 0x02, 0x04, 0x10]
/** Chunk types (RFC 9260, 3.2). */
const [INIT, ABORT, SHUTDOWN_COMPLETE] = [1, 6, 14]
const running: Life = { starts: false, ends: false, breaks: false }
const skippedHeaders = new Set([0, 43, 60])
const MAX_EXTENSIONS = 4
/** The programs read no header that begins later: an offset of ten bits, less room for what follows. */
const MAX_EXTENSIONS_END = 0x3ff - 128

export function readFrame(bytes: Uint8Array): Frame | Unread {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (bytes.length < ETHERNET) return 'PASS_NOT_IP'
  switch (view.getUint16(12)) {
    case 0x0800:
      return readIpv4(view)
    case 0x86dd:
      return readIpv6(view)
    default:
      return 'PASS_NOT_IP'
  }
}

interface Network {
  readonly v6: boolean
  readonly l4: number
  readonly claimedLength: number
  readonly ttl: number
  readonly protocol: number
  readonly fragment: Frame['fragment']
  readonly fragmentId: string
  readonly src: AddressText
  readonly dst: AddressText
}

function readIpv4(view: DataView): Frame | Unread {
  const at = ETHERNET
  if (view.byteLength < at + 20) return 'DROP_MALFORMED'
  const first = view.getUint8(at)
  if (first >>> 4 !== 4 || (first & 15) < 5) return 'DROP_MALFORMED'
  const place = view.getUint16(at + 6) & 0x3fff
  return readTransport(view, {
    v6: false,
    l4: at + (first & 15) * 4,
    claimedLength: view.getUint16(at + 2),
    ttl: view.getUint8(at + 8),
    protocol: view.getUint8(at + 9),
    fragment: place === 0 ? 'none' : place & 0x1fff ? 'later' : 'first',
    fragmentId: place === 0 ? '' : String(view.getUint16(at + 4)),
    src: mapped(view, at + 12),
    dst: mapped(view, at + 16),
  })
}

function readIpv6(view: DataView): Frame | Unread {
  const at = ETHERNET
  if (view.byteLength < at + 40 || view.getUint8(at) >>> 4 !== 6) return 'DROP_MALFORMED'
  const [src, dst] = [text(view, at + 8, 16), text(view, at + 24, 16)]
  if (isMapped(src) || isMapped(dst)) return 'PASS_UNSUPPORTED'
  const extensions = skipExtensions(view, view.getUint8(at + 6), at + 40)
  if (typeof extensions === 'string') return extensions
  return readTransport(view, {
    v6: true,
    claimedLength: 40 + view.getUint16(at + 4),
    ttl: view.getUint8(at + 7),
    src,
    dst,
    ...extensions,
  })
}

function skipExtensions(
  view: DataView,
  first: number,
  start: number,
): Pick<Network, 'l4' | 'protocol' | 'fragment' | 'fragmentId'> | Unread {
  let protocol = first
  let l4 = start
  let fragment: Frame['fragment'] = 'none'
  let fragmentId = ''
  for (let headers = 0; headers < MAX_EXTENSIONS && fragment !== 'later'; headers++) {
    const skipped = skippedHeaders.has(protocol)
    if (!skipped && protocol !== FRAGMENT_HEADER) break
    if (l4 + 8 > view.byteLength) return 'DROP_MALFORMED'
    protocol = view.getUint8(l4)
    if (skipped) {
      l4 += 8 + view.getUint8(l4 + 1) * 8
      if (l4 > MAX_EXTENSIONS_END) return 'PASS_UNSUPPORTED'
      continue
    }
    const place = view.getUint16(l4 + 2) & 0xfff9
    if (place !== 0) {
      fragment = place & 0xfff8 ? 'later' : 'first'
      fragmentId = String(view.getUint32(l4 + 4))
    }
    l4 += 8
  }
  return { l4, protocol, fragment, fragmentId }
}

function readTransport(view: DataView, network: Network): Frame | Unread {
  const { l4, protocol, fragment, v6, src, dst } = network
  const room = view.byteLength - l4
  const frame = { ...network, l3: ETHERNET, tcpFlags: 0, life: running, quote: undefined }
  const ports = () => ({ src, dst, sport: view.getUint16(l4), dport: view.getUint16(l4 + 2), protocol })
  const portless = { src, dst, sport: 0, dport: 0, protocol }
  // Only first fragments have a transport header; the ports of the others are in the memory of first ones.
  if (fragment === 'later')
    return { ...frame, kind: 'transport', tuple: portless, life: { ...running, starts: protocol === UDP } }
  const tooShort: Unread = fragment === 'first' ? 'PASS_UNSUPPORTED' : 'DROP_MALFORMED'
  switch (protocol) {
    case TCP: {
      if (room < 20) return tooShort
      const tcpFlags = view.getUint8(l4 + 13)
      return { ...frame, kind: 'transport', tuple: ports(), tcpFlags, life: lifeOfSegment(tcpFlags) }
    }
    case UDP:
      if (room < 8) return 'DROP_MALFORMED'
      return { ...frame, kind: 'transport', tuple: ports(), life: { ...running, starts: true } }
    case SCTP: {
      if (room < 8) return 'DROP_MALFORMED'
      const life = room > 12 ? lifeOfChunk(view.getUint8(l4 + 12)) : running
      return { ...frame, kind: 'transport', tuple: ports(), life }
    }
    case v6 ? ICMPV6 : ICMP: {
      if (room < 8) return tooShort
      const type = view.getUint8(l4)
      if (type === (v6 ? 128 : 8)) return { ...frame, kind: 'ping', tuple: portless }
      const isError = v6 ? type >= 1 && type <= 4 : type === 3 || type === 11 || type === 12
      if (!isError) return { ...frame, kind: 'other', tuple: portless }
      const quoted = readQuote(view, l4 + 8, v6)
      return quoted ? { ...frame, kind: 'error', ...quoted } : 'PASS_UNSUPPORTED'
    }
    default:
      return { ...frame, kind: 'other', tuple: portless }
  }
}

function lifeOfSegment(flags: number): Life {
  return { starts: (flags & (SYN | ACK)) === SYN, ends: (flags & FIN) !== 0, breaks: (flags & RST) !== 0 }
}

/** Of a packet's first chunk: those that begin or end an association stand alone in theirs. */
function lifeOfChunk(type: number): Life {
  return { starts: type === INIT, ends: false, breaks: type === ABORT || type === SHUTDOWN_COMPLETE }
}

/** At least its IP header and 8 bytes (RFC 792); a later fragment tells nothing. The tuple is turned round. */
function readQuote(view: DataView, at: number, v6: boolean): Pick<Frame, 'tuple' | 'quote'> | undefined {
  if (at + (v6 ? 40 : 20) > view.byteLength) return undefined
  const first = view.getUint8(at)
  if (first >>> 4 !== (v6 ? 6 : 4)) return undefined
  let protocol: number
  let l4: number
  if (v6) {
    protocol = view.getUint8(at + 6)
    l4 = at + 40
    if (protocol === FRAGMENT_HEADER) {
      if (l4 + 8 > view.byteLength || view.getUint16(l4 + 2) & 0xfff8) return undefined
      protocol = view.getUint8(l4)
      l4 += 8
    }
  } else {
    if ((first & 15) < 5 || view.getUint16(at + 6) & 0x1fff) return undefined
    protocol = view.getUint8(at + 9)
    l4 = at + (first & 15) * 4
  }
  if (l4 + 8 > view.byteLength) return undefined
  const [src, dst] = v6
    ? [text(view, at + 8, 16), text(view, at + 24, 16)]
    : [mapped(view, at + 12), mapped(view, at + 16)]
  if (v6 && (isMapped(src as string) || isMapped(dst as string))) return undefined
  const tuple = { src: dst, dst: src, sport: view.getUint16(l4 + 2), dport: view.getUint16(l4), protocol }
  return { tuple, quote: { l3: at, l4 } }
}

const MAPPED_PREFIX = `${'\0'.repeat(10)}\xff\xff`

/** Whether an answer may go there: not to 0.0.0.0/8, ::, or a group (RFC 1122, 3.2.2; RFC 4443, 2.4). */
export function isUnicast(address: AddressText): boolean {
  if (isMapped(address)) return address.charCodeAt(12) > 0 && address.charCodeAt(12) < 224
  return address.charCodeAt(0) !== 0xff && /[^\0]/.test(address)
}

/** IPv4's form in the maps; on the wire it is no address (RFC 4942, 2.2). */
function isMapped(address: AddressText): boolean {
  return address.startsWith(MAPPED_PREFIX)
}

function mapped(view: DataView, at: number): AddressText {
  return MAPPED_PREFIX + text(view, at, 4)
}

function text(view: DataView, at: number, length: number): string {
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, length))
}
