/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Addresses of both families as 16 bytes. */
#ifndef MAGLANE_ADDR_H
#define MAGLANE_ADDR_H

#include "bpf.h"
#include "abi.h"

static __always_inline void addr_set4(struct addr *a, __be32 ip)
{
	a->w[0] = 0;
	a->w[1] = 0;
	a->w[2] = bpf_htonl(0xffff);
	a->w[3] = ip;
}

static __always_inline void addr_set6(struct addr *a, const __be32 *ip)
{
	a->w[0] = ip[0];
	a->w[1] = ip[1];
	a->w[2] = ip[2];
	a->w[3] = ip[3];
}

static __always_inline bool addr_is4(const struct addr *a)
{
	return !(a->w[0] | a->w[1]) && a->w[2] == bpf_htonl(0xffff);
}

/* Can it be answered? Not 0.0.0.0/8, :: or multicast (RFC 1122, 3.2.2; RFC 4443, 2.4). */
static __always_inline bool addr_is_unicast(const struct addr *a)
{
	__u8 first = addr_is4(a) ? bpf_ntohl(a->w[3]) >> 24 : 0;

	if (addr_is4(a))
		return first && first < 224;
	return (a->w[0] | a->w[1] | a->w[2] | a->w[3]) && (bpf_ntohl(a->w[0]) >> 24) != 0xff;
}

static __always_inline bool addr_is_loopback4(const struct addr *a)
{
	return addr_is4(a) && (a->w[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
}

static __always_inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return !((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1]) |
		 (a->w[2] ^ b->w[2]) | (a->w[3] ^ b->w[3]));
}

static __always_inline bool addr_in(const struct addr *a, const volatile struct cidr *c)
{
	return !(((a->w[0] & c->mask.w[0]) ^ c->addr.w[0]) |
		 ((a->w[1] & c->mask.w[1]) ^ c->addr.w[1]) |
		 ((a->w[2] & c->mask.w[2]) ^ c->addr.w[2]) |
		 ((a->w[3] & c->mask.w[3]) ^ c->addr.w[3]));
}

#endif
