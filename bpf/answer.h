/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Packets that the VIP itself sends back: TCP RST (RFC 9293, 3.5.2), ICMP errors
 * (RFC 792, RFC 4443) and echo replies. The client's packet becomes the answer. */
#ifndef MAGLANE_ANSWER_H
#define MAGLANE_ANSWER_H

#include "reason.h"

#define ANSWER_TTL 64

/* Out of where the packet came from. */
static __always_inline int answer_send(const struct packet *p)
{
#ifdef MAGLANE_XDP
	(void)p;
	return XDP_TX;
#else
	if (p->hook != HOOK_TC_NET_OUT)
		return bpf_redirect(p->ifindex, 0);
	return p->ifindex == LOOPBACK_IFINDEX ? CTX_PASS : bpf_redirect(p->ifindex, BPF_F_INGRESS);
#endif
}

/* Make the frame this long, headroom bytes of it new between Ethernet and IP header. */
static __always_inline int answer_resize(ctx_t *ctx, __u32 len, __u32 headroom)
{
#ifdef MAGLANE_XDP
	/* The new bytes come before the old Ethernet header, which is written anew. */
	if (headroom && bpf_xdp_adjust_head(ctx, -(int)headroom))
		return -1;
	return bpf_xdp_adjust_tail(ctx, (int)len - (int)ctx_len(ctx));
#else
	if (headroom && bpf_skb_adjust_room(ctx, headroom, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return -1;
	return bpf_skb_change_tail(ctx, len, 0);
#endif
}

static __always_inline __u64 csum_words(const void *data, __u32 len)
{
	const __u32 *w = data;
	__u64 sum = 0;

	for (__u32 i = 0; i < len / 4; i++)
		sum += w[i];
	return sum;
}

struct macs {
	__u8 dst[ETH_ALEN];
	__u8 src[ETH_ALEN];
};

static __always_inline int answer_eth(ctx_t *ctx, const struct packet *p, const struct macs *m)
{
	struct ethhdr *eth = ctx_at(ctx, 0, sizeof(*eth));

	if (!eth)
		return -1;
	__builtin_memcpy(eth->h_dest, m->src, ETH_ALEN);
	__builtin_memcpy(eth->h_source, m->dst, ETH_ALEN);
	eth->h_proto = p->v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	return 0;
}

/* The answer's IP header, from the VIP to the client; what follows it is proto, len bytes. */
static __always_inline int answer_ip(ctx_t *ctx, const struct packet *p, const struct addr *from,
				     const struct addr *to, __u8 proto, __u16 len)
{
	if (p->v6) {
		struct ipv6hdr *ip = ctx_at(ctx, sizeof(struct ethhdr), sizeof(*ip));

		if (!ip)
			return -1;
		__builtin_memset(ip, 0, 4);
		ip->version = 6;
		ip->payload_len = bpf_htons(len);
		ip->nexthdr = proto;
		ip->hop_limit = ANSWER_TTL;
		addr_set6((struct addr *)&ip->saddr, from->w);
		addr_set6((struct addr *)&ip->daddr, to->w);
	} else {
		struct iphdr *ip = ctx_at(ctx, sizeof(struct ethhdr), sizeof(*ip));

		if (!ip)
			return -1;
		__builtin_memset(ip, 0, sizeof(*ip));
		ip->version = 4;
		ip->ihl = 5;
		ip->tot_len = bpf_htons(sizeof(*ip) + len);
		ip->ttl = ANSWER_TTL;
		ip->protocol = proto;
		ip->saddr = from->w[3];
		ip->daddr = to->w[3];
		ip->check = ~csum_fold(csum_words(ip, sizeof(*ip)));
	}
	return 0;
}

/* The part of a checksum that covers addresses, length and protocol. For IPv4 the
 * constant words of a mapped address must not count. */
static __always_inline __u64 csum_pseudo(const struct packet *p, __u8 proto, __u32 len)
{
	__u64 sum = (__u64)bpf_htonl(len) + bpf_htonl(proto);

	if (p->v6)
		return sum + csum_words(&p->key.src, 16) + csum_words(&p->key.dst, 16);
	return sum + p->key.src.w[3] + p->key.dst.w[3];
}

static __noinline int answer_rst(ctx_t *ctx, const struct packet *p)
{
	__u32 l4 = sizeof(struct ethhdr) + (p->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	struct tcphdr *th = ctx_at(ctx, p->l4, sizeof(*th));
	struct ethhdr *eth = ctx_at(ctx, 0, sizeof(*eth));
	struct tcphdr rst = {};
	struct macs macs;
	__u32 seg;

	if (!th || !eth)
		return -1;
	__builtin_memcpy(&macs, eth, sizeof(macs));
	rst.source = th->dest;
	rst.dest = th->source;
	rst.doff = sizeof(rst) / 4;
	rst.rst = 1;
	if (th->ack) {
		rst.seq = th->ack_seq;
	} else {
		/* bytes that the segment takes of the sequence space */
		seg = p->length - (p->l4 - p->l3) - th->doff * 4 + th->syn + th->fin;
		rst.ack = 1;
		rst.ack_seq = bpf_htonl(bpf_ntohl(th->seq) + seg);
	}
	rst.check = ~csum_fold(csum_pseudo(p, IPPROTO_TCP, sizeof(rst)) + csum_words(&rst, sizeof(rst)));
	if (answer_resize(ctx, l4 + sizeof(rst), 0))
		return -1;
	if (answer_eth(ctx, p, &macs) || answer_ip(ctx, p, &p->key.dst, &p->key.src, IPPROTO_TCP, sizeof(rst)))
		return -1;
	th = ctx_at(ctx, l4, sizeof(*th));
	if (!th)
		return -1;
	*th = rst;
	return 0;
}

/* What an error quotes: the IP header and as much of the transport's as tells
 * its flow. TCP's whole header, since a sum that the device would have finished
 * must keep its place in a socket buffer. */
#define QUOTE4_UDP (20 + 8)
#define QUOTE4_TCP (20 + 20)
#define QUOTE6_UDP (40 + 8)
#define QUOTE6_TCP (40 + 20)
#define QUOTE6_FRAG (40 + 8 + 8)

static __always_inline int answer_icmp_write(ctx_t *ctx, const struct packet *p, const struct icmp *head, __u32 quote)
{
	__u32 ip_len = p->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	__u32 l4 = sizeof(struct ethhdr) + ip_len;
	__u64 sum;
	struct icmp *ic = ctx_at(ctx, l4, sizeof(*ic) + quote);

	if (!ic)
		return -1;
	*ic = *head;
	sum = csum_words(ic, sizeof(*ic) + quote);
	if (p->v6)
		sum += csum_pseudo(p, IPPROTO_ICMPV6, sizeof(*ic) + quote);
	ic->check = ~csum_fold(sum);
	return 0;
}

/* rest: the header's last four bytes, the MTU where it has one. */
static __noinline int answer_icmp(ctx_t *ctx, const struct packet *p, __u8 type, __u8 code, __be32 rest)
{
	__u32 ip_len = p->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	struct icmp head = { .type = type, .code = code, .rest = rest };
	struct ethhdr *eth = ctx_at(ctx, 0, sizeof(*eth));
	/* a fragment's quote holds its fragment header, and the ports behind it */
	bool frag6 = p->v6 && p->fragment == FRAG_FIRST;
	bool tcp = p->key.proto == IPPROTO_TCP && !frag6;
	struct macs macs;
	__u32 quote;

	/* no error about an error (RFC 1122, 3.2.2; RFC 4443, 2.4) */
	if (p->icmp == ICMP_ERROR)
		return -1;
	/* options and extension headers would push the ports out of the quote */
	if (!eth || p->l4 - p->l3 != (__u16)ip_len + (frag6 ? 8 : 0) || p->fragment == FRAG_LATER)
		return -1;
	__builtin_memcpy(&macs, eth, sizeof(macs));
	quote = ip_len + (tcp ? 20 : frag6 ? 16 : 8);
	if (answer_resize(ctx, sizeof(*eth) + ip_len + sizeof(head) + quote, ip_len + sizeof(head)))
		return -1;
	if (answer_eth(ctx, p, &macs) ||
	    answer_ip(ctx, p, &p->key.dst, &p->key.src, p->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		      sizeof(head) + quote))
		return -1;
	/* constant lengths: the verifier unrolls the sums */
	if (frag6)
		return answer_icmp_write(ctx, p, &head, QUOTE6_FRAG);
	if (p->v6)
		return tcp ? answer_icmp_write(ctx, p, &head, QUOTE6_TCP) : answer_icmp_write(ctx, p, &head, QUOTE6_UDP);
	return tcp ? answer_icmp_write(ctx, p, &head, QUOTE4_TCP) : answer_icmp_write(ctx, p, &head, QUOTE4_UDP);
}

static __noinline int answer_ping(ctx_t *ctx, const struct packet *p)
{
	struct ethhdr *eth = ctx_at(ctx, 0, sizeof(*eth));
	struct icmp *ic = ctx_at(ctx, p->l4, sizeof(*ic));
	struct macs macs;
	__be16 old, new;

	if (!eth || !ic)
		return -1;
	/* type and code are one word of the sum; turning addresses round changes none */
	old = *(__be16 *)ic;
	ic->type = p->v6 ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY;
	new = *(__be16 *)ic;
	ic->check = csum_apply(ic->check, csum_port_diff(old, new));
	if (p->v6) {
		struct ipv6hdr *ip = ctx_at(ctx, p->l3, sizeof(*ip));

		if (!ip)
			return -1;
		addr_set6((struct addr *)&ip->saddr, p->key.dst.w);
		addr_set6((struct addr *)&ip->daddr, p->key.src.w);
	} else {
		struct iphdr *ip = ctx_at(ctx, p->l3, sizeof(*ip));

		if (!ip)
			return -1;
		ip->saddr = p->key.dst.w[3];
		ip->daddr = p->key.src.w[3];
	}
	__builtin_memcpy(&macs, eth, sizeof(macs));
	return answer_eth(ctx, p, &macs);
}

/* Refuse the packet as a closed port would. 0: the answer stands in the packet. */
static __always_inline int answer_refusal(ctx_t *ctx, const struct packet *p)
{
	if (p->key.proto == IPPROTO_TCP)
		return answer_rst(ctx, p);
	if (p->v6)
		return answer_icmp(ctx, p, ICMP6_DEST_UNREACH, ICMP6_PORT_UNREACH, 0);
	return answer_icmp(ctx, p, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
}

static __always_inline int answer_too_big(ctx_t *ctx, const struct packet *p, __u16 mtu)
{
	if (p->v6)
		return answer_icmp(ctx, p, ICMP6_TOO_BIG, 0, bpf_htonl(mtu));
	return answer_icmp(ctx, p, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, bpf_htonl(mtu));
}

static __always_inline int answer_ttl(ctx_t *ctx, const struct packet *p)
{
	if (p->v6)
		return answer_icmp(ctx, p, ICMP6_TIME_EXCEEDED, 0, 0);
	return answer_icmp(ctx, p, ICMP_TIME_EXCEEDED, 0, 0);
}

#endif
