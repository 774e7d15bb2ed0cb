// SPDX-License-Identifier: Apache-2.0
/** Hashes over addresses, ports and names; addresses are four words as they lie in memory, read little-endian. */

/** Port bytes in network order, read as a little-endian u16: how a program sees a `__be16`. */
export function wirePort(port: number): number {
  return ((port & 0xff) << 8) | (port >>> 8)
}

/**
 * The bit of the filter that stands for an address, a port and a protocol; 0…2^20−1. Mirror of `filter_hash()` in the
 * programs. A wildcard is port 0, protocol 0.
 */
export function filterBit(words: Uint32Array, port: number, protocol: number): number {
  let h =
    (Math.imul(words[0] as number, 0x9e3779b1) +
      Math.imul(words[1] as number, 0x85ebca77) +
      Math.imul(words[2] as number, 0xc2b2ae3d) +
      Math.imul(words[3] as number, 0x27d4eb2f)) |
    0
  h = (h + Math.imul(wirePort(port) | (protocol << 16), 0x165667b1)) | 0
  h ^= h >>> 15
  h = Math.imul(h, 0x2c1b3c6d)
  h ^= h >>> 12
  h = Math.imul(h, 0x297a2d39)
  h ^= h >>> 15
  return h >>> 12
}

/** Scrambles a word so that each bit of the input reaches each bit of the output; 32 bits. */
export function mix32(word: number): number {
  let h = word | 0
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad)
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97)
  return (h ^ (h >>> 15)) >>> 0
}

/**
 * Keyed hash of a backend's address and port; 32 bits. Two seeds give two independent hashes. The protocol is left out, so
 * that the ports of one Service that differ in it alone spread clients alike.
 */
export function backendHash(words: Uint32Array, port: number, seed: number): number {
  let h = mix32(seed ^ 0x9e3779b9)
  for (let i = 0; i < 4; i++) h = mix32(h ^ (words[i] as number)) + 0x7f4a7c15
  return mix32(h ^ port)
}

/** Keyed hash of bytes; 32 bits. */
export function bytesHash(bytes: Uint8Array, seed: number): number {
  let h = mix32(seed ^ bytes.length)
  for (const byte of bytes) h = mix32(h ^ byte) + 0x7f4a7c15
  return mix32(h)
}
