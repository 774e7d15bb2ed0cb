// SPDX-License-Identifier: Apache-2.0
/** SCTP's checksum: CRC32c (RFC 9260, Appendix A). */

/** Castagnoli's polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78

/** To be written in little-endian. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
  }
  return ~crc >>> 0
}
