// SPDX-License-Identifier: Apache-2.0
/** The Internet checksum (RFC 1071), computed from scratch: the programs only ever mend it (RFC 1624). */

/** One's complement sum of 16-bit words in network order; an odd last byte is padded with zero. Not complemented. */
export function internetSum(bytes: Uint8Array, start = 0): number {
  let sum = start
  const even = bytes.length & ~1
  for (let at = 0; at < even; at += 2) sum += ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
  if (even < bytes.length) sum += (bytes[even] as number) << 8
  return fold(sum)
}

/** What is written into the header: the complement of the sum with the checksum's own field taken as zero. */
export function internetChecksum(bytes: Uint8Array, start = 0): number {
  return ~internetSum(bytes, start) & 0xffff
}

/** Whether bytes that contain their checksum add up: the sum is then "minus zero". */
export function checksumHolds(bytes: Uint8Array, start = 0): boolean {
  return internetSum(bytes, start) === 0xffff
}

/** The part of a transport's checksum that covers addresses, length and protocol (RFC 9293, 3.1; RFC 8200, 8.1). */
export function pseudoHeaderSum(src: Uint8Array, dst: Uint8Array, protocol: number, length: number): number {
  return fold(internetSum(src) + internetSum(dst) + protocol + (length >>> 16) + (length & 0xffff))
}

/** Adds the carries back in. */
export function fold(sum: number): number {
  let folded = sum
  while (folded > 0xffff) folded = (folded % 0x1_0000) + Math.floor(folded / 0x1_0000)
  return folded
}
