// SPDX-License-Identifier: Apache-2.0
/** A translated packet, its checksums computed from the packet as a whole. */

import { crc32c } from '../trace/crc32c.ts'
import { internetChecksum } from './checksum.ts'
import type { AddressText, Frame, Tuple } from './read-frame.ts'

const TCP = 6
const UDP = 17
const SCTP = 132
const ONES = 0xffff

/** A frame, and where in it one's complement has two ways to write zero. */
export interface Rewritten {
  readonly bytes: Uint8Array
  readonly checksums: readonly number[]
  /** A checksum of four bytes that is nobody's business: the packet's length is a lie. */
  readonly unjudged?: number
}

/**
 * Writes `after` over the addresses and ports of a packet.
 *
 * @param routed The node is a router to it: TTL or hop limit one less.
 */
export function rewritePacket(sent: Uint8Array, frame: Frame, after: Tuple, routed: boolean): Rewritten {
  const editor = new Editor(sent)
  const transport = frame.fragment === 'later' ? 0 : checksumOffset(frame.tuple.protocol)
  const check = transport ? [frame.l4 + transport] : []
  const absent = frame.tuple.protocol === UDP && transport !== 0 && editor.word(frame.l4 + transport) === 0
  editor.edit(() => {
    editor.addresses(frame.l3, frame.v6, after.src, after.dst)
    if (transport) editor.ports(frame.l4, after.sport, after.dport)
    if (routed) editor.age(frame.l3, frame.v6)
  }, [
    ...(frame.v6 ? [] : [ipv4Header(frame.l3)]),
    ...(absent
      ? []
      : check.map((at) => transportCovers(at, frame.l3, frame.v6, frame.l4, frame.tuple.protocol === UDP))),
  ])
  const checksums = [...(frame.v6 ? [] : [frame.l3 + 10]), ...(absent ? [] : check)]
  if (frame.tuple.protocol !== SCTP || frame.fragment === 'later') return { bytes: editor.bytes, checksums }
  const judged = mendSctp(editor, frame, after)
  return { bytes: editor.bytes, checksums, ...(judged ? {} : { unjudged: frame.l4 + 8 }) }
}

/** Writes the ports. @returns false where the checksum covers another length than there is. */
function mendSctp(editor: Editor, frame: Frame, after: Tuple): boolean {
  const end = frame.l3 + frame.claimedLength
  const judged = end >= frame.l4 + 12 && end <= editor.bytes.length
  const right = () => {
    const covered = editor.bytes.slice(frame.l4, end)
    covered.fill(0, 8, 12)
    return crc32c(covered)
  }
  const before = judged ? right() : 0
  editor.ports(frame.l4, after.sport, after.dport)
  // What was wrong stays wrong by the same bits.
  if (judged) editor.turn32(frame.l4 + 8, before ^ right())
  return judged
}

/**
 * Writes `after` over an ICMP error and, turned round, over the packet that it quotes.
 *
 * @param keepsSource The error comes from a router whose address says nothing that the translation hides.
 */
export function rewriteError(
  sent: Uint8Array,
  frame: Frame,
  after: Tuple,
  routed: boolean,
  keepsSource: boolean,
): Rewritten {
  const { quote, tuple, v6 } = frame
  if (!quote) throw new TypeError('An error that quotes nothing is not translated')
  const editor = new Editor(sent)
  const inside = quotedChecksum(editor, tuple.protocol, quote.l4)
  editor.edit(() => {
    editor.addresses(quote.l3, v6, after.dst, after.src)
    editor.ports(quote.l4, after.dport, after.sport)
  }, [
    ...(v6 ? [] : [{ at: quote.l3 + 10, covers: () => [[quote.l3, quote.l3 + 20] as const], zeroIsOnes: false }]),
    ...(inside ? [transportCovers(inside, quote.l3, v6, quote.l4, tuple.protocol === UDP)] : []),
  ])
  const icmp = frame.l4 + 2
  const quotedBytes = editor.bytes
  const outer = new Editor(sent)
  outer.edit(() => {
    outer.bytes.set(quotedBytes.subarray(frame.l4 + 8), frame.l4 + 8)
    outer.addresses(frame.l3, v6, keepsSource ? undefined : after.src, after.dst)
    if (routed) outer.age(frame.l3, v6)
  }, [
    ...(v6 ? [] : [ipv4Header(frame.l3)]),
    v6
      ? transportCovers(icmp, frame.l3, true, frame.l4, false)
      : { at: icmp, covers: (bytes) => [[frame.l4, bytes.length]], zeroIsOnes: false },
  ])
  const checksums = [icmp, ...(v6 ? [] : [frame.l3 + 10, quote.l3 + 10]), ...(inside ? [inside] : [])]
  return { bytes: outer.bytes, checksums }
}

/** A ping as its answer: addresses and MACs turned round, another type. */
export function rewritePing(sent: Uint8Array, frame: Frame): Rewritten {
  const editor = new Editor(sent)
  const icmp = {
    at: frame.l4 + 2,
    covers: (bytes: Uint8Array) => [[frame.l4, bytes.length] as const],
    zeroIsOnes: false,
  }
  editor.edit(() => {
    editor.bytes[frame.l4] = frame.v6 ? 129 : 0
  }, [icmp])
  editor.addresses(frame.l3, frame.v6, frame.tuple.dst, frame.tuple.src)
  editor.bytes.set(sent.subarray(6, 12), 0)
  editor.bytes.set(sent.subarray(0, 6), 6)
  return { bytes: editor.bytes, checksums: [icmp.at] }
}

interface Checksum {
  readonly at: number
  /** Runs of bytes, each at an even distance from the checksum. */
  readonly covers: (bytes: Uint8Array) => readonly (readonly [start: number, end: number])[]
  /** UDP: a sum of zero is written as all ones (RFC 768). */
  readonly zeroIsOnes: boolean
}

function ipv4Header(l3: number): Checksum {
  return {
    at: l3 + 10,
    covers: (bytes) => [[l3, Math.min(bytes.length, l3 + ((bytes[l3] as number) & 15) * 4)]],
    zeroIsOnes: false,
  }
}

/** Addresses and transport; what else a pseudo header has does not change. */
function transportCovers(at: number, l3: number, v6: boolean, l4: number, zeroIsOnes: boolean): Checksum {
  const [start, end] = v6 ? [l3 + 8, l3 + 40] : [l3 + 12, l3 + 20]
  return {
    at,
    covers: (bytes) => [
      [start, end],
      [l4, bytes.length],
    ],
    zeroIsOnes,
  }
}

/** Within the transport's header; 0: the checksum covers no address and is not mended. */
function checksumOffset(protocol: number): number {
  if (protocol === TCP) return 16
  return protocol === UDP ? 6 : 0
}

/** Undefined where the quote does not have the whole header, or the sender computed none. */
function quotedChecksum(editor: Editor, protocol: number, l4: number): number | undefined {
  if (protocol === TCP) return l4 + 20 <= editor.bytes.length ? l4 + 16 : undefined
  return protocol === UDP && editor.word(l4 + 6) !== 0 ? l4 + 6 : undefined
}

class Editor {
  readonly bytes: Uint8Array
  readonly #view: DataView

  constructor(sent: Uint8Array) {
    this.bytes = Uint8Array.from(sent)
    this.#view = new DataView(this.bytes.buffer)
  }

  word(at: number): number {
    return this.#view.getUint16(at)
  }

  /**
   * Changes bytes, then checksums. One that was right is right again; one that was wrong stays wrong by as much, as it
   * must for its receiver to notice.
   */
  edit(change: () => void, checksums: readonly Checksum[]): void {
    const right = (checksum: Checksum) => this.#rightValue(checksum)
    const before = checksums.map(right)
    change()
    checksums.forEach((checksum, index) => {
      const after = right(checksum)
      const value = (this.word(checksum.at) + after + ONES - before[index]!) % ONES
      this.#view.setUint16(checksum.at, value === 0 && checksum.zeroIsOnes ? ONES : value)
    })
  }

  #rightValue({ at, covers }: Checksum): number {
    const field = this.word(at)
    this.#view.setUint16(at, 0)
    let sum = 0
    for (const [start, end] of covers(this.bytes)) sum += ONES - internetChecksum(this.bytes.subarray(start, end))
    this.#view.setUint16(at, field)
    return ONES - (sum % ONES)
  }

  addresses(l3: number, v6: boolean, src: AddressText | undefined, dst: AddressText): void {
    const length = v6 ? 16 : 4
    const at = v6 ? l3 + 8 : l3 + 12
    const write = (address: AddressText, offset: number) => {
      for (let index = 0; index < length; index++) this.bytes[offset + index] = address.charCodeAt(16 - length + index)
    }
    if (src !== undefined) write(src, at)
    write(dst, at + length)
  }

  ports(l4: number, sport: number, dport: number): void {
    this.#view.setUint16(l4, sport)
    this.#view.setUint16(l4 + 2, dport)
  }

  /** Turns bits of a little-endian word over. */
  turn32(at: number, bits: number): void {
    this.#view.setUint32(at, (this.#view.getUint32(at, true) ^ bits) >>> 0, true)
  }

  age(l3: number, v6: boolean): void {
    const at = v6 ? l3 + 7 : l3 + 8
    this.bytes[at] = (this.bytes[at] as number) - 1
  }
}
