/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * The node's conntrack, asked whether a tuple is in use: a client may talk to a
 * backend directly, unseen by maglane, from the port that it also uses for a VIP.
 */
#ifndef MAGLANE_CONNTRACK_H
#define MAGLANE_CONNTRACK_H

#include "config.h"
#include "packet.h"

#ifndef MAGLANE_XDP

/* Opaque, but a definition: libbpf compares kinds, and a declaration is another one. */
struct nf_conn {
	unsigned long status;
};

/* The kernel's struct bpf_ct_opts as it was first (net/netfilter/nf_conntrack_bpf.c). */
struct bpf_ct_opts {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};

#define CURRENT_NETNS -1

/* Weak: kernels before 6.0 lack them, and cfg.have_conntrack is 0 there. Only tc
 * asks: what conntrack will see goes up the stack in any case, so XDP leaves such
 * a flow's first packet to it. (libbpf 1.1 cannot link a kernel function that two
 * translation units name.) */
extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *ctx, struct bpf_sock_tuple *tuple, __u32 tuple_len,
					 struct bpf_ct_opts *opts, __u32 opts_len) __ksym __weak;
extern void bpf_ct_release(struct nf_conn *ct) __ksym __weak;

/* Does conntrack know a connection from the client's address and port to the backend's? */
static __noinline int tuple_is_tracked(struct __sk_buff *ctx, const struct packet *p, const struct flow_key *reply)
{
	struct bpf_ct_opts opts = { .netns_id = CURRENT_NETNS, .l4proto = p->key.proto };
	struct bpf_sock_tuple t = {};
	struct nf_conn *ct;
	__u32 len;

	if (!cfg.have_conntrack)
		return 0;
	if (p->v6) {
		addr_set6((struct addr *)t.ipv6.saddr, reply->dst.w);
		addr_set6((struct addr *)t.ipv6.daddr, reply->src.w);
		t.ipv6.sport = reply->dport;
		t.ipv6.dport = reply->sport;
		len = sizeof(t.ipv6);
	} else {
		t.ipv4.saddr = reply->dst.w[3];
		t.ipv4.daddr = reply->src.w[3];
		t.ipv4.sport = reply->dport;
		t.ipv4.dport = reply->sport;
		len = sizeof(t.ipv4);
	}
	ct = bpf_skb_ct_lookup(ctx, &t, len, &opts, sizeof(opts));
	if (!ct)
		return 0;
	bpf_ct_release(ct);
	return 1;
}

#endif

#endif
