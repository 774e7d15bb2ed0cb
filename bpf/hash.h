/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* The two hashes: which bit of the filter a key owns, which slot a packet takes. */
#ifndef MAGLANE_HASH_H
#define MAGLANE_HASH_H

#include "bpf.h"
#include "abi.h"

static __always_inline __u32 rotl32(__u32 x, int n)
{
	return (x << n) | (x >> (32 - n));
}

/* Multilinear over an address's words: the multiplications do not wait for
 * each other. A port is added to the sum, so both probes of a packet (its
 * address with and without the port) share this part. */
static __always_inline __u32 filter_addr(const struct addr *a)
{
	return a->w[0] * 0x9E3779B1u + a->w[1] * 0x85EBCA77u +
	       a->w[2] * 0xC2B2AE3Du + a->w[3] * 0x27D4EB2Fu;
}

static __always_inline __u32 filter_bit(__u32 addr_sum, __be16 port, __u8 proto)
{
	__u32 h = addr_sum + (port | (__u32)proto << 16) * 0x165667B1u;

	h ^= h >> 15;
	h *= 0x2C1B3C6Du;
	h ^= h >> 12;
	h *= 0x297A2D39u;
	h ^= h >> 15;
	return h >> 12;
}

/* MurmurHash3_x86_32's body and end (Appleby, public domain), started from the
 * cluster's seed so that a client cannot aim at one backend. */
static __always_inline __u32 hash_word(__u32 h, __u32 k)
{
	k *= 0xcc9e2d51u;
	k = rotl32(k, 15);
	k *= 0x1b873593u;
	h ^= k;
	h = rotl32(h, 13);
	return h * 5 + 0xe6546b64u;
}

static __always_inline __u32 hash_end(__u32 h)
{
	h ^= h >> 16;
	h *= 0x85ebca6bu;
	h ^= h >> 13;
	h *= 0xc2b2ae35u;
	return h ^ h >> 16;
}

static __always_inline __u32 hash_addr(__u32 h, const struct addr *a)
{
	h = hash_word(h, a->w[0]);
	h = hash_word(h, a->w[1]);
	h = hash_word(h, a->w[2]);
	return hash_word(h, a->w[3]);
}

/* Every node of a cluster sends a tuple to the same slot. */
static __always_inline __u32 hash_flow(__u32 seed, const struct flow_key *k)
{
	__u32 h = hash_addr(hash_addr(seed, &k->src), &k->dst);

	h = hash_word(h, k->sport | (__u32)k->dport << 16);
	return hash_end(hash_word(h, k->proto));
}

/* A socket stays with its backend of a Service: datagrams are chosen for one by one. */
static __always_inline __u32 hash_socket(__u32 seed, __u64 cookie, __u32 service)
{
	return hash_end(hash_word(hash_word(seed ^ service, cookie), cookie >> 32));
}

/* A client with affinity has one slot whatever its port and the frontend. */
static __always_inline __u32 hash_client(__u32 seed, const struct addr *client, __u64 affinity_id)
{
	__u32 h = hash_addr(seed, client);

	h = hash_word(h, (__u32)affinity_id);
	return hash_end(hash_word(h, affinity_id >> 32));
}

/* Lemire's multiply-shift in place of a modulo. */
static __always_inline __u32 hash_slot(__u32 hash, __u32 slots)
{
	return (__u64)hash * slots >> 32;
}

#endif
