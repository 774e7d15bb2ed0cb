/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * What `npm run bench -- packet` measures with: a driver that gives every
 * repetition of BPF_PROG_TEST_RUN a packet as it came from the wire, and the
 * reference programs that maglane's are compared with. Included once for XDP and
 * once for tc.
 */
#ifndef MAGLANE_TEST_BENCH_H
#define MAGLANE_TEST_BENCH_H

#include "abi.h"
#include "ctx.h"

/* Headers up to the end of TCP's, cut where a program's loads do not cross a
 * store of the driver: the processor forwards a store only to a load inside it,
 * and a real packet was not stored by this core at all. */
struct bench_frame {
	__u32 eth[3];
	__u16 h_proto;
	__u16 pad;
	__u32 ip[16]; /* IPv4 + TCP: 10 words, IPv6 + TCP: 15 */
};

struct bench_state {
	__u32 first; /* of the frames that are presented */
	__u32 count;
	__u32 next; /* 0…count-1 */
	__u32 pad;
};

/* Frames of all cases, side by side. The bench writes, the driver reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_frame);
} bench_frames SEC(".maps");

/* Which frames come next. The bench and the driver write. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_state);
} bench_state SEC(".maps");

/* The program under test. The bench writes; the constant index makes the JIT turn
 * the tail call into a jump, which every program pays alike. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} bench_subject SEC(".maps");

/* The reference's flows: key and value as maglane's. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 262144);
	__type(key, struct flow_key);
	__type(value, struct flow);
} bench_flows SEC(".maps");

/* A frame comes without metadata: what the last repetition has left goes. Every
 * program under test pays for the call. */
static __always_inline int bench_drop_meta(ctx_t *ctx)
{
#ifdef MAGLANE_XDP
	__u64 data = (__u64)(long)ctx->data, meta = (__u64)(long)ctx->data_meta;

	/* else the compiler subtracts in 32 bits, which the verifier refuses */
	barrier_var(data);
	barrier_var(meta);
	return bpf_xdp_adjust_meta(ctx, data - meta);
#else
	(void)ctx;
	return 0;
#endif
}

static __always_inline int bench_drive(ctx_t *ctx)
{
	int r = bench_drop_meta(ctx);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	volatile __u32 *eth = data, *ip = data + sizeof(struct ethhdr);
	volatile __u16 *h_proto = data + offsetof(struct ethhdr, h_proto);
	struct bench_frame *frame;
	struct bench_state *state;
	__u32 zero = 0, i;

	if (r)
		return CTX_DROP;
	state = bpf_map_lookup_elem(&bench_state, &zero);
	if (!state)
		return CTX_DROP;
	i = state->first + state->next;
	state->next = state->next + 1 < state->count ? state->next + 1 : 0;
	frame = bpf_map_lookup_elem(&bench_frames, &i);
	if (!frame || data + sizeof(struct ethhdr) + 10 * 4 > end)
		return CTX_DROP;
	for (int w = 0; w < 3; w++)
		eth[w] = frame->eth[w];
	*h_proto = frame->h_proto;
	for (int w = 0; w < 10; w++)
		ip[w] = frame->ip[w];
	if (frame->h_proto == bpf_htons(ETH_P_IPV6)) {
		if (data + sizeof(struct ethhdr) + 15 * 4 > end)
			return CTX_DROP;
		for (int w = 10; w < 15; w++)
			ip[w] = frame->ip[w];
	}
	bpf_tail_call_static(ctx, &bench_subject, 0);
	return CTX_DROP;
}

/* Read the tuple of TCP or UDP over IPv4 without options or IPv6 without
 * extension headers. Returns the transport's offset, 0 where there is none. */
static __always_inline __u32 reference_parse(ctx_t *ctx, struct flow_key *k)
{
	struct ethhdr *eth = ctx_at(ctx, 0, sizeof(*eth));
	__u32 l4 = sizeof(*eth);
	__be16 *ports;

	if (!eth)
		return 0;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = ctx_at(ctx, sizeof(*eth), sizeof(*ip));

		if (!ip || ip->version != 4 || ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff))
			return 0;
		k->src.w[2] = k->dst.w[2] = bpf_htonl(0xffff);
		k->src.w[3] = ip->saddr;
		k->dst.w[3] = ip->daddr;
		k->proto = ip->protocol;
		l4 += sizeof(*ip);
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = ctx_at(ctx, sizeof(*eth), sizeof(*ip));

		if (!ip || ip->version != 6)
			return 0;
		for (int i = 0; i < 4; i++) {
			k->src.w[i] = ip->saddr.in6_u.u6_addr32[i];
			k->dst.w[i] = ip->daddr.in6_u.u6_addr32[i];
		}
		k->proto = ip->nexthdr;
		l4 += sizeof(*ip);
	} else {
		return 0;
	}
	if (k->proto != IPPROTO_TCP && k->proto != IPPROTO_UDP)
		return 0;
	ports = ctx_at(ctx, l4, 8);
	if (!ports)
		return 0;
	k->sport = ports[0];
	k->dport = ports[1];
	return l4;
}

static __always_inline int bench_null(void)
{
	return CTX_PASS;
}

static __always_inline int reference_parse_only(ctx_t *ctx)
{
	struct flow_key k = {};

	if (!reference_parse(ctx, &k))
		return CTX_DROP;
	/* what is read must be used, or the compiler leaves it out */
	return k.src.w[0] + k.src.w[3] + k.dst.w[3] + k.sport + k.dport == 1 ? CTX_DROP : CTX_PASS;
}

static __always_inline int reference_lookup(ctx_t *ctx)
{
	struct flow_key k = {};
	struct flow *f;

	if (!reference_parse(ctx, &k))
		return CTX_DROP;
	f = bpf_map_lookup_elem(&bench_flows, &k);
	return f && f->service == 1 ? CTX_PASS : CTX_DROP;
}

/* The least that a translation to a backend is: address, port, both checksums. */
static __always_inline int reference_dnat(ctx_t *ctx)
{
	struct flow_key k = {};
	__u32 l4 = reference_parse(ctx, &k);
	struct tcphdr *th;
	struct iphdr *ip;
	struct flow *f;

	if (!l4)
		return CTX_DROP;
	f = bpf_map_lookup_elem(&bench_flows, &k);
	if (!f)
		return CTX_DROP;
	ip = ctx_at(ctx, sizeof(struct ethhdr), sizeof(*ip));
	th = ctx_at(ctx, l4, sizeof(*th));
	if (!ip || !th)
		return CTX_DROP;
	ip->daddr = f->dst.w[3];
	ip->check = csum_apply(ip->check, f->addr_delta);
	th->dest = f->dport;
	th->check = csum_apply(th->check, f->l4_delta);
	return CTX_PASS;
}

static __always_inline int reference_insert(ctx_t *ctx)
{
	struct flow f = { .service = 1 };
	struct flow_key k = {};

	if (!reference_parse(ctx, &k))
		return CTX_DROP;
	f.src = k.src;
	f.dst = k.dst;
	f.sport = k.sport;
	f.dport = k.dport;
	return bpf_map_update_elem(&bench_flows, &k, &f, BPF_ANY) ? CTX_DROP : CTX_PASS;
}

#define BENCH_PROGRAM(section, name, body)                                                                             \
	SEC(section)                                                                                                   \
	int name(ctx_t *ctx)                                                                                           \
	{                                                                                                              \
		return body;                                                                                           \
	}

#endif
