/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Flows: one entry a direction, made together, each naming the other's key. */
#ifndef MAGLANE_FLOW_H
#define MAGLANE_FLOW_H

#include "conntrack.h"
#include "filter.h"
#include "reason.h"
#include "route.h"
#include "service.h"

#define EEXIST 17

static __always_inline struct flow *flow_lookup(const struct flow_key *k)
{
	return bpf_map_lookup_elem(&flows, k);
}

static __always_inline bool flow_is_closed(const struct flow *f)
{
	__u8 both = FLOW_FIN | FLOW_PEER_FIN;

	return f->state & FLOW_RST || (f->state & both) == both;
}

/* The key of the other direction: what this direction's packets become, turned round. */
static __always_inline void flow_pair_key(const struct flow *f, __u8 proto, struct flow_key *k)
{
	k->src = f->dst;
	k->dst = f->src;
	k->sport = f->dport;
	k->dport = f->sport;
	k->proto = proto;
	k->dir = f->flags & FLOW_F_PAIR_EGRESS ? DIR_EGRESS : DIR_INGRESS;
	k->pad = 0;
}

/* The entry of the other direction; NULL where it is gone. A port of a closed flow may
 * be another's already: then the entry under the key is that one's. */
static __always_inline struct flow *flow_pair(const struct packet *p, const struct flow *f, struct flow_key *k)
{
	struct flow *pair;

	flow_pair_key(f, p->key.proto, k);
	pair = flow_lookup(k);
	if (!pair || !addr_equal(&pair->src, &p->key.dst) || !addr_equal(&pair->dst, &p->key.src) ||
	    pair->sport != p->key.dport || pair->dport != p->key.sport)
		return NULL;
	return pair;
}

static __noinline int flow_delete(const struct packet *p, const struct flow *f)
{
	struct flow_key k;

	if (flow_pair(p, f, &k))
		bpf_map_delete_elem(&flows, &k);
	return bpf_map_delete_elem(&flows, &p->key);
}

/* FIN, RST and the first reply: what the other direction's entry must know. */
static __noinline int flow_tell_pair(const struct packet *p, const struct flow *f, __u32 state)
{
	struct flow_key k;
	struct flow *pair = flow_pair(p, f, &k);

	if (pair)
		pair->state |= state;
	return 0;
}

static __always_inline void flow_track(const struct packet *p, struct flow *f)
{
	if (unlikely(p->tcp_flags & (TCP_FIN | TCP_RST))) {
		__u8 own = p->tcp_flags & TCP_RST ? FLOW_RST : FLOW_FIN;
		__u8 pair = p->tcp_flags & TCP_RST ? FLOW_RST : FLOW_PEER_FIN;

		if (!(f->state & own)) {
			f->state |= own;
			flow_tell_pair(p, f, pair);
		}
	}
	if (unlikely((f->flags & FLOW_F_REPLY) && !(f->state & FLOW_SEEN_REPLY))) {
		f->state |= FLOW_SEEN_REPLY;
		flow_tell_pair(p, f, FLOW_SEEN_REPLY);
	}
}

/* Could the packet be a connection's first? Any datagram without an entry could. */
static __always_inline bool starts_flow(const struct packet *p)
{
	return p->key.proto == IPPROTO_UDP || (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* Must the client's packet choose a backend anew? A connection that starts does
 * when the entry is another connection's or its backend is gone; one that runs
 * is left to its backend for as long as that answers; UDP moves at once. */
static __always_inline bool flow_is_stale(const struct packet *p, const struct flow *f)
{
	if (f->flags & FLOW_F_REPLY || p->icmp)
		return false;
	if (p->key.proto != IPPROTO_UDP) {
		if (likely(!starts_flow(p)))
			return false;
		if (flow_is_closed(f))
			return true;
	}
	/* a direct connection's: there is nothing to choose */
	if (!f->backend)
		return false;
	return !backend_serves(f->backend, &f->dst, f->dport);
}

static __always_inline void flow_set_deltas(struct flow *f, const struct flow_key *k)
{
	__u64 addrs = csum_addr_diff(&k->src, &f->src) + csum_addr_diff(&k->dst, &f->dst);

	f->addr_delta = csum_fold(addrs);
	f->l4_delta = csum_fold(addrs + csum_port_diff(k->sport, f->sport) +
				csum_port_diff(k->dport, f->dport));
}

/* Enter the reply's entry under a client port that no other flow to this backend
 * has; rkey->dport holds it at the end. reply->dst and dport name the client.
 * first: the port to try first, 0: none. */
__weak __noinline int flow_reserve(struct flow_key *rkey, struct flow *reply, __be16 first, __u32 range)
{
	__u32 min = range >> 16, range_len = (range & 0xffff) - min + 1;
	__u32 h, start, stride;

	if (!rkey || !reply)
		return PASS_NO_MEMORY;
	h = hash_end(hash_word(hash_addr(cfg.seed, &reply->dst),
			       reply->dport | (__u32)reply->sport << 16) ^ reply->src.w[3]);
	start = hash_slot(h, range_len);
	/* Each client has a stride of its own, so that taken ports do not clump; no try meets the same port twice. */
	stride = 1 + hash_slot(hash_word(h, range_len), range_len / SNAT_TRIES);

	for (int i = 0; i < SNAT_TRIES; i++) {
		struct flow *old = NULL;

		if (i || !first) {
			__u32 place = start + i * stride;

			rkey->dport = bpf_htons(min + (place < range_len ? place : place % range_len));
		} else {
			rkey->dport = first;
		}
		flow_set_deltas(reply, rkey);
		/* Most first tries succeed; later ones meet a crowd, where to look is cheaper than to be refused. */
		if (i)
			old = flow_lookup(rkey);
		if (!old) {
			if (!bpf_map_update_elem(&flows, rkey, reply, BPF_NOEXIST))
				return CONTINUE;
			old = flow_lookup(rkey);
		}
		/* ours, its other half lost; or a dead one's; or evicted meanwhile */
		if (!old || flow_is_closed(old) ||
		    (addr_equal(&old->dst, &reply->dst) && old->dport == reply->dport &&
		     addr_equal(&old->src, &reply->src) && old->sport == reply->sport))
			return bpf_map_update_elem(&flows, rkey, reply, BPF_ANY) ? PASS_NO_MEMORY : CONTINUE;
	}
	return DROP_NO_SNAT_PORT;
}

static __always_inline bool packet_is_from_pod(const struct packet *p)
{
	return p->hook == HOOK_TC_POD_IN;
}

static __always_inline bool packet_is_from_host(const struct packet *p)
{
	return p->hook == HOOK_TC_NET_OUT;
}

/* Is the client's address replaced? Only where the reply would not come back by
 * itself: from outside to another node's backend, and from a pod to itself. */
static __always_inline bool must_masquerade(const struct packet *p, const struct frontend *fe,
					    const struct backend *be)
{
	if (packet_is_from_host(p))
		return false;
	if (addr_equal(&p->key.src, &be->addr))
		return true;
	/* kube-proxy's masqueradeAll spares what a Local policy keeps */
	if (cfg.masquerade_all && (fe->kind == FE_CLUSTER_IP || !(fe->flags & FE_F_SCOPED)))
		return true;
	return !packet_is_from_pod(p) && !(be->flags & BE_F_LOCAL);
}

/* Does the bridge that joins client and backend carry the reply past netfilter?
 * Then the request must not be seen by it either: conntrack would call the
 * client's next packet invalid. */
static __always_inline bool bridge_answers_unseen(const struct packet *p, __u32 out_ifindex)
{
	struct device *dev;

	if (!packet_is_from_pod(p))
		return false;
	dev = device_get(p->ifindex);
	return dev && dev->flags & DEV_F_L2_REPLY && dev->master == out_ifindex;
}

/* The way back to where the packet came from, as its own headers tell it. */
static __always_inline void hop_back(ctx_t *ctx, const struct packet *p, struct hop *hop)
{
	struct ethhdr *eth = ctx_at(ctx, 0, sizeof(*eth));

	hop->ifindex = p->ifindex;
	hop->mtu = 0;
	hop->flags = HOP_F_NEIGH | HOP_F_XDP;
	if (packet_is_from_host(p))
		hop->flags = HOP_F_INGRESS | HOP_F_NEIGH;
	if (eth) {
		__builtin_memcpy(hop->dmac, eth->h_source, ETH_ALEN);
		__builtin_memcpy(hop->smac, eth->h_dest, ETH_ALEN);
	}
}

/* Where a process of the node takes its replies. On lo the node's own IPv4 address
 * as a source is a martian to the kernel's input path (the route that a looped
 * packet brings along is gone); on the device that holds the address it is not,
 * given accept_local. IPv6 has no such check. */
static __always_inline void hop_to_self(ctx_t *ctx, const struct packet *p, struct hop *hop)
{
	struct device *dev = device_get(p->ifindex);
	__u32 ifindex;

	hop_back(ctx, p, hop);
	if (!dev || !dev->master || p->v6 || addr_is_loopback4(&p->key.dst))
		return;
	ifindex = dev->master;
	dev = device_get(ifindex);
	if (!dev)
		return;
	hop->ifindex = ifindex;
	__builtin_memcpy(hop->dmac, dev->mac, ETH_ALEN);
}

/* Enter both directions of a new flow. CONTINUE: the packet now has an entry. */
__noinline int CHECKED_ONCE(flow_create)(ctx_t *ctx, const struct packet *p, const struct frontend *fe,
					  const struct backend *be, const struct subject *s)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	struct flow *request, *reply;
	struct flow_draft *draft;
	struct flow_key *rkey;
	const struct control *ctl = control_get();
	bool host, masquerade, taken = false;
	__u16 flags = 0;
	int r;

	draft = draft_get();
	if (!ctl || !draft || !p || !fe || !be || !s)
		return PASS_NO_MEMORY;
	host = packet_is_from_host(p);
	masquerade = must_masquerade(p, fe, be);
	rkey = &draft->reply_key;
	*rkey = (struct flow_key){
		.src = be->addr,
		.dst = p->key.src,
		.sport = be->port,
		.dport = p->key.sport,
		.proto = p->key.proto,
	};
	request = &draft->request;
	reply = &draft->reply;
	*request = (struct flow){
		.src = p->key.src,
		.dst = be->addr,
		.sport = p->key.sport,
		.dport = be->port,
		.service = fe->service,
		.backend = s->backend,
		.kind = fe->kind,
		.state = p->tcp_flags & TCP_RST ? FLOW_RST : p->tcp_flags & TCP_FIN ? FLOW_FIN : 0,
		.hop_epoch = ctl->hop_epoch,
		.hop_s = now_s(now),
		.seen_ns = now,
		.seen_ticks = ticks_now(),
		.affinity_id = fe->affinity_id,
	};
	*reply = (struct flow){
		.src = p->key.dst,
		.dst = p->key.src,
		.sport = p->key.dport,
		.dport = p->key.sport,
		.service = fe->service,
		.backend = s->backend,
		.flags = FLOW_F_REPLY,
		.kind = fe->kind,
		.state = p->tcp_flags & TCP_RST ? FLOW_RST : p->tcp_flags & TCP_FIN ? FLOW_PEER_FIN : 0,
		.hop_epoch = ctl->hop_epoch,
		.hop_s = now_s(now),
		.seen_ns = now,
		.seen_ticks = ticks_now(),
	};
	if (be->flags & BE_F_LOCAL)
		flags |= FLOW_F_LOCAL;
	if (s->scope == SCOPE_INTERNAL)
		flags |= FLOW_F_INTERNAL;
	if (fe->flags & FE_F_AFFINITY)
		flags |= FLOW_F_AFFINITY;
	if (packet_is_from_pod(p))
		flags |= FLOW_F_POD;
	if (addr_equal(&p->key.src, &be->addr))
		flags |= FLOW_F_HAIRPIN;
	if (host)
		flags |= FLOW_F_HOST;

	if (masquerade || host) {
		r = route(ctx, p->ifindex, &be->addr, &request->hop, &draft->src);
		if (r == ROUTE_LOCAL && host) {
			/* a process of the node to another one: looped, not sent */
			draft->src = p->key.src;
			hop_back(ctx, p, &request->hop);
		} else if (r != CONTINUE) {
			return IS_XDP ? PASS_LATER_HOOK : r == ROUTE_LOCAL ? DROP_NO_ROUTE : r;
		}
		if (IS_XDP && (request->hop.flags & (HOP_F_XDP | HOP_F_NEIGH)) != (HOP_F_XDP | HOP_F_NEIGH))
			return PASS_LATER_HOOK;
		/* a source that cannot leave the node is replaced whatever the route says */
		if (!addr_equal(&draft->src, &p->key.src))
			flags |= FLOW_F_SNAT;
		if (host && !(request->hop.flags & HOP_F_INGRESS))
			hop_to_self(ctx, p, &reply->hop);
		else
			hop_back(ctx, p, &reply->hop);
		flags |= FLOW_F_REDIRECT;
		rkey->dst = draft->src;
		rkey->dir = DIR_INGRESS;
		request->src = draft->src;
		reply->flags |= flags | (host ? FLOW_F_PAIR_EGRESS : 0);
		r = flow_reserve(rkey, reply, 0, (__u32)cfg.snat_port_min << 16 | cfg.snat_port_max);
		if (r != CONTINUE)
			return r;
	} else {
		struct filter *flt = filter_get();
		__u32 ports = 1024U << 16 | 65535;

		if (packet_is_from_pod(p) && be->flags & BE_F_LOCAL) {
			r = route(ctx, p->ifindex, &be->addr, &request->hop, &draft->src);
			if (r == CONTINUE && bridge_answers_unseen(p, request->hop.ifindex)) {
				request->flags = FLOW_F_REDIRECT;
				/* Conntrack does not know what the two say directly, so no port
				 * is theirs for certain; this range's are given to no socket. */
				taken = starts_flow(p);
				ports = (__u32)cfg.snat_port_min << 16 | cfg.snat_port_max;
			}
		}
		rkey->dir = DIR_EGRESS;
		reply->flags |= flags;
		flags |= FLOW_F_PAIR_EGRESS;
		/* The tuple client → backend may be in use already, through another
		 * VIP or directly: then the client's port is replaced. A connection that
		 * runs keeps its port: what conntrack knows is itself. */
		if (starts_flow(p) && cfg.have_conntrack) {
#ifdef MAGLANE_XDP
			return PASS_LATER_HOOK;
#else
			if (!taken)
				taken = tuple_is_tracked(ctx, p, rkey);
#endif
		}
		r = flow_reserve(rkey, reply, taken ? 0 : p->key.sport, ports);
		if (r != CONTINUE)
			return r;
		if (rkey->dport != p->key.sport)
			flags |= FLOW_F_PORT;
		if (flt)
			filter_set(flt, filter_bit(filter_addr(&be->addr), be->port, p->key.proto));
	}
	request->flags |= flags;
	request->sport = rkey->dport;
	flow_set_deltas(request, &p->key);
	return bpf_map_update_elem(&flows, &p->key, request, BPF_ANY) ? PASS_NO_MEMORY : CONTINUE;
}

#endif
