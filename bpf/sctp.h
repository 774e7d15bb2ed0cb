/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * SCTP's checksum (RFC 9260, appendix A) when a port changes. It is a CRC over
 * the whole packet, but linear: the change of four bytes at the front, moved past
 * all that follows, is the change of the CRC. No other byte need be read.
 */
#ifndef MAGLANE_SCTP_H
#define MAGLANE_SCTP_H

#include "bpf.h"

/* Chunk types that begin and end an association. */
#define SCTP_INIT 1
#define SCTP_ABORT 6
#define SCTP_SHUTDOWN_COMPLETE 14

#define SCTP_CHECK_OFFSET 8
#define SCTP_CHUNK_OFFSET 12

/* The Castagnoli polynomial and x^8, bit-reflected: bit 31 is x^0. */
#define CRC32C_POLY 0x82F63B78u
#define CRC32C_X0 0x80000000u
#define CRC32C_X8 0x00800000u

/* All ones or all zeros, by one bit. Not a branch: the verifier would follow both
 * sides of every one, 2^48 ways in all. */
static __always_inline __u32 bit_mask(__u32 word, int bit)
{
	__u32 mask = -(word >> bit & 1);

	barrier_var(mask);
	return mask;
}

/* The product of two polynomials modulo the CRC's. */
static __always_inline __u32 crc32c_multiply(__u32 a, __u32 b)
{
	__u32 product = 0;

	for (int i = 31; i >= 0; i--) {
		product ^= b & bit_mask(a, i);
		b = b >> 1 ^ (CRC32C_POLY & bit_mask(b, 0));
	}
	return product;
}

/* What changes in the checksum of a packet of len bytes whose first four bytes, read
 * as little-endian, change by diff (exclusive or): diff · x^(8·len). */
__weak __noinline __u32 sctp_check_diff(__u32 diff, __u32 len)
{
	__u32 power = CRC32C_X8;

	for (int i = 0; i < 16; i++) {
		__u32 set = bit_mask(len, i);

		diff = crc32c_multiply(diff, (power & set) | (CRC32C_X0 & ~set));
		power = crc32c_multiply(power, power);
	}
	return diff;
}

#endif
