/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* One's complement sums (RFC 1071) and their incremental update (RFC 1624). */
#ifndef MAGLANE_CSUM_H
#define MAGLANE_CSUM_H

#include "bpf.h"
#include "abi.h"

/* What a TTL one smaller adds to the sum of an IPv4 header. */
#define CSUM_TTL_DELTA bpf_htons(0xfeff)

static __always_inline __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Does adding it change no sum? One's complement has two zeros. */
static __always_inline bool csum_is_zero(__u16 delta)
{
	return delta == 0 || delta == 0xffff;
}

static __always_inline __u64 csum_addr_diff(const struct addr *from, const struct addr *to)
{
	__u64 sum = 0;

	for (int i = 0; i < 4; i++)
		sum += (__u64)(__u32)~from->w[i] + to->w[i];
	return sum;
}

static __always_inline __u32 csum_port_diff(__be16 from, __be16 to)
{
	return (__u32)(__u16)~from + to;
}

static __always_inline __u16 csum_apply(__u16 check, __u64 delta)
{
	return ~csum_fold((__u64)(__u16)~check + delta);
}

#endif
