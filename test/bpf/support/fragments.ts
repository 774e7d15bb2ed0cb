// SPDX-License-Identifier: Apache-2.0
/** Cuts a frame into fragments as a sender or router would (RFC 791, 3.2; RFC 8200, 4.5), and puts them together again. */

import { internetChecksum } from '../../../src/reference/checksum.ts'
import { ETHERNET_BYTES, Protocol } from './packet-format.ts'

/**
 * Cuts a frame without options or extension headers.
 *
 * @param size payload bytes of all fragments but the last; a multiple of eight.
 */
export function fragments(frame: Uint8Array, size: number, id: number): Uint8Array[] {
  const v6 = isIpv6(frame)
  const headerEnd = ETHERNET_BYTES + (v6 ? 40 : 20)
  const body = frame.subarray(headerEnd)
  const parts: Uint8Array[] = []
  for (let offset = 0; offset < body.length; offset += size) {
    const part = body.subarray(offset, offset + size)
    const more = offset + size < body.length
    parts.push(v6 ? fragment6(frame, part, offset, more, id) : fragment4(frame, part, offset, more, id))
  }
  return parts
}

function fragment4(frame: Uint8Array, part: Uint8Array, offset: number, more: boolean, id: number): Uint8Array {
  const headerEnd = ETHERNET_BYTES + 20
  const bytes = new Uint8Array(headerEnd + part.length)
  bytes.set(frame.subarray(0, headerEnd))
  bytes.set(part, headerEnd)
  const header = new DataView(bytes.buffer, ETHERNET_BYTES, 20)
  header.setUint16(2, 20 + part.length)
  header.setUint16(4, id)
  header.setUint16(6, (offset / 8) | (more ? 0x2000 : 0))
  header.setUint16(10, 0)
  header.setUint16(10, internetChecksum(bytes.subarray(ETHERNET_BYTES, headerEnd)))
  return bytes
}

function fragment6(frame: Uint8Array, part: Uint8Array, offset: number, more: boolean, id: number): Uint8Array {
  const headerEnd = ETHERNET_BYTES + 40
  const bytes = new Uint8Array(headerEnd + 8 + part.length)
  bytes.set(frame.subarray(0, headerEnd))
  bytes.set(part, headerEnd + 8)
  const view = new DataView(bytes.buffer)
  view.setUint16(ETHERNET_BYTES + 4, 8 + part.length)
  bytes[headerEnd] = bytes[ETHERNET_BYTES + 6] as number
  bytes[ETHERNET_BYTES + 6] = Protocol.FRAGMENT
  view.setUint16(headerEnd + 2, offset | (more ? 1 : 0))
  view.setUint32(headerEnd + 4, id)
  return bytes
}

/** The frame that fragments, in any order, were cut from; everything else is taken from the first. */
export function reassemble(parts: readonly Uint8Array[]): Uint8Array {
  const pieces = parts.map((part) => ({ part, ...place(part) })).sort((a, b) => a.offset - b.offset)
  const first = pieces[0]!
  const last = pieces.at(-1)!
  const v6 = isIpv6(first.part)
  const headerEnd = ETHERNET_BYTES + (v6 ? 40 : 20)
  const bytes = new Uint8Array(headerEnd + last.offset + last.body.length)
  bytes.set(first.part.subarray(0, headerEnd))
  for (const { offset, body } of pieces) bytes.set(body, headerEnd + offset)
  const view = new DataView(bytes.buffer)
  if (v6) {
    bytes[ETHERNET_BYTES + 6] = first.part[headerEnd] as number
    view.setUint16(ETHERNET_BYTES + 4, bytes.length - headerEnd)
  } else {
    view.setUint16(ETHERNET_BYTES + 2, bytes.length - ETHERNET_BYTES)
    view.setUint16(ETHERNET_BYTES + 6, 0)
    view.setUint16(ETHERNET_BYTES + 10, 0)
    view.setUint16(ETHERNET_BYTES + 10, internetChecksum(bytes.subarray(ETHERNET_BYTES, headerEnd)))
  }
  return bytes
}

function place(part: Uint8Array): { readonly offset: number; readonly body: Uint8Array } {
  const view = new DataView(part.buffer, part.byteOffset)
  return isIpv6(part)
    ? { offset: view.getUint16(ETHERNET_BYTES + 42) & 0xfff8, body: part.subarray(ETHERNET_BYTES + 48) }
    : { offset: (view.getUint16(ETHERNET_BYTES + 6) & 0x1fff) * 8, body: part.subarray(ETHERNET_BYTES + 20) }
}

function isIpv6(frame: Uint8Array): boolean {
  return (frame[ETHERNET_BYTES] as number) >>> 4 === 6
}
