/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Frontend → scope → backend set → backend. */
#ifndef MAGLANE_SERVICE_H
#define MAGLANE_SERVICE_H

#include "config.h"
#include "maps.h"
#include "hash.h"
#include "addr.h"

#define NSEC_PER_SEC 1000000000ULL

static __always_inline struct frontend *frontend_lookup(const struct addr *addr, __be16 port, __u8 proto)
{
	struct frontend_key k = { .addr = *addr, .port = port, .proto = proto };

	return bpf_map_lookup_elem(&frontends, &k);
}

static __always_inline struct backend *backend_get(__u32 id)
{
	return bpf_map_lookup_elem(&backends, &id);
}

/* Does the id still stand for this endpoint, and does the endpoint still serve?
 * An id that was freed and given to another endpoint fails on the address. */
static __always_inline bool backend_serves(__u32 id, const struct addr *addr, __be16 port)
{
	struct backend *be = backend_get(id);

	return be && be->flags & BE_F_SERVING && be->port == port && addr_equal(&be->addr, addr);
}

static __always_inline bool addr_in_cluster(const struct addr *a)
{
	for (__u32 i = 0; i < CIDR_MAX; i++) {
		if (i >= cfg.in_cluster_len)
			break;
		if (addr_in(a, &cfg.in_cluster[i]))
			return true;
	}
	return false;
}

static __always_inline bool source_allowed(__u32 service, const struct addr *client)
{
	struct source_range_key k = {
		.prefixlen = 32 + 128,
		.service = bpf_htonl(service),
		.addr = *client,
	};

	return bpf_map_lookup_elem(&source_ranges, &k);
}

static __always_inline __u32 slot_get(const struct backend_set *set, __u32 hash)
{
	__u32 i = set->offset + hash_slot(hash, set->slots);
	__u32 element = i / ARENA_SLOTS;
	struct slots *s = bpf_map_lookup_elem(&arena, &element);

	return s ? s->backend[i % ARENA_SLOTS] : 0;
}

/* The backend that the client is kept with, if it is a member of this set; 0: none.
 * Its address is what is remembered, so that every port of the Service leads to it. */
static __noinline __u32 affinity_get(const struct affinity_key *k, __u32 set, __u32 timeout_s)
{
	struct affinity *a = bpf_map_lookup_elem(&affinities, k);
	__u64 now = bpf_ktime_get_coarse_ns();
	struct member_key mk = { .set = set };
	struct member *m;

	if (!a || now - a->seen_ns > timeout_s * NSEC_PER_SEC)
		return 0;
	mk.addr = a->backend;
	m = bpf_map_lookup_elem(&members, &mk);
	if (!m)
		return 0;
	a->seen_ns = now;
	return m->backend;
}

static __noinline int affinity_set(const struct affinity_key *k, __u32 backend)
{
	struct backend *be = backend_get(backend);
	struct affinity a = { .seen_ns = bpf_ktime_get_coarse_ns() };

	if (!be)
		return -1;
	a.backend = be->addr;
	return bpf_map_update_elem(&affinities, k, &a, BPF_ANY);
}

static __always_inline void affinity_touch(__u64 affinity_id, const struct addr *client, __u64 now_ns)
{
	struct affinity_key k = { .affinity_id = affinity_id, .client = *client };
	struct affinity *a = bpf_map_lookup_elem(&affinities, &k);

	if (a)
		a->seen_ns = now_ns;
}

/* A backend's id, or 0 where the set and the arena disagree. hash: where the
 * client has no affinity. */
static __always_inline __u32 backend_select(const struct frontend *fe, const struct backend_set *set,
					    const struct addr *client, __u32 hash)
{
	struct affinity_key k = { .affinity_id = fe->affinity_id };
	__u32 id;

	if (likely(!(fe->flags & FE_F_AFFINITY)))
		return slot_get(set, hash);
	k.client = *client;
	id = affinity_get(&k, set->id, fe->affinity_s);
	if (id)
		return id;
	id = slot_get(set, hash_client(cfg.seed, client, fe->affinity_id));
	if (id)
		affinity_set(&k, id);
	return id;
}

#endif
