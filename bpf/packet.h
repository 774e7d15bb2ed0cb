/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* A packet's headers, read once. */
#ifndef MAGLANE_PACKET_H
#define MAGLANE_PACKET_H

#include "ctx.h"
#include "maps.h"
#include "addr.h"
#include "sctp.h"

#define IP_MF 0x2000
#define IP_OFFSET 0x1fff
#define IP6_OFFSET 0xfff8
#define IP6_MF 0x0001

#define ICMP_DEST_UNREACH 3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAM_PROBLEM 12
#define ICMP_ECHO 8
#define ICMP_ECHO_REPLY 0
#define ICMP_PORT_UNREACH 3
#define ICMP_FRAG_NEEDED 4
#define ICMP6_DEST_UNREACH 1
#define ICMP6_TOO_BIG 2
#define ICMP6_TIME_EXCEEDED 3
#define ICMP6_PARAM_PROBLEM 4
#define ICMP6_PORT_UNREACH 4
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129

/* RFC 8200 names four extension headers that a router may meet before the
 * transport; more of them is nobody's ordinary traffic. */
#define EXTENSION_HEADERS_MAX 4

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

struct icmp {
	__u8 type;
	__u8 code;
	__u16 check;
	__be32 rest;
};

struct ip6_frag {
	__u8 nexthdr;
	__u8 reserved;
	__be16 frag_off;
	__be32 id;
};

enum fragment {
	FRAG_NONE,
	FRAG_FIRST,
	FRAG_LATER, /* has no transport header */
};

enum icmp_kind {
	ICMP_NONE,
	ICMP_ERROR, /* key is the answer's to the packet inside: that packet's tuple turned round */
	ICMP_PING,  /* key has no ports */
	ICMP_OTHER,
};

struct packet {
	struct flow_key key;
	__u32 frag_id;
	__u32 ifindex; /* of the device that the hook is on */
	__u16 l3; /* offset of the IP header */
	__u16 l4; /* … of the transport's, or ICMP's */
	__u16 length; /* of the IP packet, header included */
	__u16 inner; /* offset of the IP header inside an ICMP error */
	__u16 inner_l4;
	__u8 v6;
	__u8 fragment; /* enum fragment */
	__u8 icmp; /* enum icmp_kind */
	__u8 tcp_flags; /* SCTP: SYN where an association begins, RST where it has ended */
	__u8 ttl;
	__u8 proto; /* of the packet itself: key.proto but for ICMP errors */
	__u8 hook; /* enum hook */
};

/* "The packet goes on": what a step returns that has not decided. Otherwise it
 * returns an enum reason. */
#define CONTINUE -1

static __always_inline void parse_chunk(const ctx_t *ctx, struct packet *p)
{
	__u8 *type = ctx_at(ctx, p->l4 + SCTP_CHUNK_OFFSET, 1);

	if (!type)
		return;
	if (*type == SCTP_INIT)
		p->tcp_flags = TCP_SYN;
	else if (*type == SCTP_ABORT || *type == SCTP_SHUTDOWN_COMPLETE)
		p->tcp_flags = TCP_RST;
}

static __always_inline int parse_ports(const ctx_t *ctx, struct packet *p)
{
	if (p->key.proto == IPPROTO_TCP) {
		struct tcphdr *th = ctx_at(ctx, p->l4, sizeof(*th));

		if (!th)
			return p->fragment ? PASS_UNSUPPORTED : DROP_MALFORMED;
		p->key.sport = th->source;
		p->key.dport = th->dest;
		p->tcp_flags = ((__u8 *)th)[13];
		return CONTINUE;
	}
	if (p->key.proto == IPPROTO_UDP || p->key.proto == IPPROTO_SCTP) {
		/* SCTP's common header starts with the ports as UDP's does. */
		struct udphdr *uh = ctx_at(ctx, p->l4, sizeof(*uh));

		if (!uh)
			return DROP_MALFORMED;
		p->key.sport = uh->source;
		p->key.dport = uh->dest;
		if (p->key.proto == IPPROTO_SCTP)
			parse_chunk(ctx, p);
		return CONTINUE;
	}
	p->icmp = ICMP_OTHER;
	return CONTINUE;
}

/* The packet that an ICMP error quotes: RFC 792 promises its IP header and 8 bytes. */
static __noinline int parse_inner4(const ctx_t *ctx, struct packet *p)
{
	struct iphdr *ip;
	__be16 *ports;

	p->inner = p->l4 + sizeof(struct icmp);
	ip = ctx_at(ctx, p->inner, sizeof(*ip));
	if (!ip || ip->version != 4 || ip->ihl < 5)
		return PASS_UNSUPPORTED;
	if (ip->frag_off & bpf_htons(IP_OFFSET))
		return PASS_UNSUPPORTED;
	p->inner_l4 = p->inner + ip->ihl * 4;
	p->key.proto = ip->protocol;
	addr_set4(&p->key.src, ip->daddr);
	addr_set4(&p->key.dst, ip->saddr);
	ports = ctx_at(ctx, p->inner_l4, 8);
	if (!ports)
		return PASS_UNSUPPORTED;
	p->key.sport = ports[1];
	p->key.dport = ports[0];
	p->icmp = ICMP_ERROR;
	return CONTINUE;
}

static __noinline int parse_inner6(const ctx_t *ctx, struct packet *p)
{
	struct ipv6hdr *ip;
	__be16 *ports;

	p->inner = p->l4 + sizeof(struct icmp);
	ip = ctx_at(ctx, p->inner, sizeof(*ip));
	if (!ip || ip->version != 6)
		return PASS_UNSUPPORTED;
	p->inner_l4 = p->inner + sizeof(*ip);
	p->key.proto = ip->nexthdr;
	addr_set6(&p->key.src, ip->daddr.in6_u.u6_addr32);
	addr_set6(&p->key.dst, ip->saddr.in6_u.u6_addr32);
	if (addr_is4(&p->key.src) || addr_is4(&p->key.dst))
		return PASS_UNSUPPORTED;
	if (ip->nexthdr == IPPROTO_FRAGMENT) {
		struct ip6_frag *fh = ctx_at(ctx, p->inner_l4, sizeof(*fh));

		if (!fh || (fh->frag_off & bpf_htons(IP6_OFFSET)))
			return PASS_UNSUPPORTED;
		p->key.proto = fh->nexthdr;
		p->inner_l4 += sizeof(*fh);
	}
	ports = ctx_at(ctx, p->inner_l4, 8);
	if (!ports)
		return PASS_UNSUPPORTED;
	p->key.sport = ports[1];
	p->key.dport = ports[0];
	p->icmp = ICMP_ERROR;
	return CONTINUE;
}

static __always_inline int parse_icmp(const ctx_t *ctx, struct packet *p)
{
	struct icmp *ic = ctx_at(ctx, p->l4, sizeof(*ic));

	if (!ic)
		return p->fragment ? PASS_UNSUPPORTED : DROP_MALFORMED;
	if (p->v6) {
		if (ic->type == ICMP6_ECHO) {
			p->icmp = ICMP_PING;
			return CONTINUE;
		}
		/* Types below 128 are errors (RFC 4443, 2.1); those above are
		 * mostly neighbour discovery, which must not be slowed. */
		if (ic->type >= ICMP6_DEST_UNREACH && ic->type <= ICMP6_PARAM_PROBLEM)
			return parse_inner6(ctx, p);
	} else {
		if (ic->type == ICMP_ECHO) {
			p->icmp = ICMP_PING;
			return CONTINUE;
		}
		if (ic->type == ICMP_DEST_UNREACH || ic->type == ICMP_TIME_EXCEEDED ||
		    ic->type == ICMP_PARAM_PROBLEM)
			return parse_inner4(ctx, p);
	}
	p->icmp = ICMP_OTHER;
	return CONTINUE;
}

/* Only first fragments tell the ports; they are remembered by frag_record(). */
static __noinline int frag_ports(struct packet *p)
{
	struct frag_key fk = {
		.src = p->key.src,
		.dst = p->key.dst,
		.id = p->frag_id,
		.proto = p->key.proto,
		.dir = p->key.dir,
	};
	struct frag *f = bpf_map_lookup_elem(&frags, &fk);

	if (!f)
		return DROP_NO_FIRST_FRAGMENT;
	p->key.sport = f->sport;
	p->key.dport = f->dport;
	return CONTINUE;
}

static __noinline int frag_record(const struct packet *p)
{
	struct frag_key fk = {
		.src = p->key.src,
		.dst = p->key.dst,
		.id = p->frag_id,
		.proto = p->key.proto,
		.dir = p->key.dir,
	};
	struct frag f = { .sport = p->key.sport, .dport = p->key.dport };

	return bpf_map_update_elem(&frags, &fk, &f, BPF_ANY);
}

static __always_inline int parse_transport(const ctx_t *ctx, struct packet *p)
{
	if (p->fragment == FRAG_LATER)
		return CONTINUE;
	if (p->key.proto == (p->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return parse_icmp(ctx, p);
	return parse_ports(ctx, p);
}

static __always_inline int parse_ip4(const ctx_t *ctx, struct packet *p)
{
	struct iphdr *ip = ctx_at(ctx, p->l3, sizeof(*ip));

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return DROP_MALFORMED;
	p->v6 = 0;
	p->l4 = p->l3 + ip->ihl * 4;
	p->length = bpf_ntohs(ip->tot_len);
	p->ttl = ip->ttl;
	p->proto = p->key.proto = ip->protocol;
	addr_set4(&p->key.src, ip->saddr);
	addr_set4(&p->key.dst, ip->daddr);
	if (unlikely(ip->frag_off & bpf_htons(IP_MF | IP_OFFSET))) {
		p->frag_id = ip->id;
		p->fragment = ip->frag_off & bpf_htons(IP_OFFSET) ? FRAG_LATER : FRAG_FIRST;
	}
	return parse_transport(ctx, p);
}

static __always_inline bool proto_is_extension(__u8 proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_DSTOPTS ||
	       proto == IPPROTO_FRAGMENT;
}

static __noinline int parse_extensions(const ctx_t *ctx, struct packet *p)
{
	for (int i = 0; i < EXTENSION_HEADERS_MAX; i++) {
		struct ip6_frag *h;

		/* what follows may be shorter than an extension header, or nothing (RFC 8200, 4.7) */
		if (!proto_is_extension(p->key.proto))
			return CONTINUE;
		h = ctx_at(ctx, p->l4, sizeof(*h));
		if (!h)
			return DROP_MALFORMED;
		if (p->key.proto == IPPROTO_FRAGMENT) {
			p->l4 += sizeof(*h);
			if (h->frag_off & bpf_htons(IP6_OFFSET | IP6_MF)) {
				p->frag_id = h->id;
				p->fragment = h->frag_off & bpf_htons(IP6_OFFSET) ? FRAG_LATER : FRAG_FIRST;
			}
		} else {
			/* the second byte is the header's length in 8 bytes, less one */
			p->l4 += 8 + h->reserved * 8;
			if (p->l4 > OFFSET_MASK - 128)
				return PASS_UNSUPPORTED;
		}
		p->key.proto = h->nexthdr;
		if (p->fragment == FRAG_LATER)
			return CONTINUE;
	}
	return CONTINUE;
}

static __always_inline int parse_ip6(const ctx_t *ctx, struct packet *p)
{
	struct ipv6hdr *ip = ctx_at(ctx, p->l3, sizeof(*ip));

	if (!ip || ip->version != 6)
		return DROP_MALFORMED;
	p->v6 = 1;
	p->l4 = p->l3 + sizeof(*ip);
	p->length = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	p->ttl = ip->hop_limit;
	p->key.proto = ip->nexthdr;
	addr_set6(&p->key.src, ip->saddr.in6_u.u6_addr32);
	addr_set6(&p->key.dst, ip->daddr.in6_u.u6_addr32);
	/* never on the wire (RFC 4942, 2.2), where it would be taken for IPv4's */
	if (unlikely(addr_is4(&p->key.src) || addr_is4(&p->key.dst)))
		return PASS_UNSUPPORTED;
	if (ip->nexthdr != IPPROTO_TCP && ip->nexthdr != IPPROTO_UDP && ip->nexthdr != IPPROTO_ICMPV6) {
		int r = parse_extensions(ctx, p);

		if (r != CONTINUE)
			return r;
	}
	p->proto = p->key.proto;
	return parse_transport(ctx, p);
}

/* Longest run of headers that is read: Ethernet, IPv6 with a fragment header,
 * ICMPv6, the quoted IPv6 and 8 bytes more. */
#define HEADERS_LEN (14 + 40 + 8 + 8 + 40 + 8)

static __always_inline int parse(ctx_t *ctx, struct packet *p)
{
	struct ethhdr *eth;

	ctx_pull(ctx, HEADERS_LEN);
	eth = ctx_at(ctx, 0, sizeof(*eth));
	if (!eth)
		return PASS_NOT_IP;
	p->l3 = sizeof(*eth);
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return parse_ip4(ctx, p);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return parse_ip6(ctx, p);
	return PASS_NOT_IP;
}

#endif
