// SPDX-License-Identifier: Apache-2.0
/** Addresses as the four words that the programs compare and hash. */

import { addressBytes } from '../model/ip.ts'

/** `::ffff:` as the third word reads in little-endian. */
const MAPPED = 0xffff0000

/** Reads a canonical dotted quad into the word that it is in memory, little-endian; -1 when it is none. */
function ipv4Word(address: string): number {
  let word = 0
  let octet = 0
  let shift = 0
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i)
    if (code === 46) {
      word |= octet << shift
      shift += 8
      octet = 0
    } else if (code >= 48 && code <= 57) octet = octet * 10 + code - 48
    else return -1
  }
  return shift === 24 ? (word | (octet << 24)) >>> 0 : -1
}

/**
 * Reads a canonical address into `words` (four words, little-endian, IPv4 mapped); a hundred thousand endpoints pass
 * through here at every start.
 *
 * @throws TypeError when the text is no address
 */
export function addressWords(address: string, words: Uint32Array): Uint32Array {
  const word = ipv4Word(address)
  if (word >= 0) {
    words[0] = 0
    words[1] = 0
    words[2] = MAPPED
    words[3] = word
    return words
  }
  const bytes = addressBytes(address)
  if (bytes === undefined) throw new TypeError(`Not an IP address: ${address}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  for (let i = 0; i < 4; i++) words[i] = view.getUint32(4 * i, true)
  return words
}
