/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* A flow's new addresses and ports go into the packet, checksums with them. */
#ifndef MAGLANE_TRANSLATE_H
#define MAGLANE_TRANSLATE_H

#include "flow.h"

/* Linux 6.16: the helper then knows that an IPv6 header has no checksum that
 * makes up for the changed address. Older kernels refuse the flag. */
#define CSUM_F_IPV6 (1U << 7)

static __always_inline bool flow_is_routed(const struct flow *f)
{
	return f->flags & FLOW_F_REDIRECT && !(f->flags & FLOW_F_HOST);
}

static __always_inline int translate_ip(ctx_t *ctx, const struct packet *p, const struct flow *f, bool keep_src)
{
	if (p->v6) {
		struct ipv6hdr *ip = ctx_at(ctx, p->l3, sizeof(*ip));

		if (!ip)
			return DROP_MALFORMED;
		if (!keep_src)
			addr_set6((struct addr *)&ip->saddr, f->src.w);
		addr_set6((struct addr *)&ip->daddr, f->dst.w);
		if (flow_is_routed(f))
			ip->hop_limit--;
	} else {
		struct iphdr *ip = ctx_at(ctx, p->l3, sizeof(*ip));
		__u64 delta;

		if (!ip)
			return DROP_MALFORMED;
		if (unlikely(p->icmp == ICMP_ERROR)) {
			/* the sender of an ICMP error is not the flow's: nothing was computed ahead */
			delta = (__u64)(__u32)~ip->daddr + f->dst.w[3];
			if (!keep_src)
				delta += (__u64)(__u32)~ip->saddr + f->src.w[3];
		} else {
			delta = f->addr_delta;
		}
		if (flow_is_routed(f)) {
			ip->ttl--;
			delta += CSUM_TTL_DELTA;
		}
		if (!keep_src)
			ip->saddr = f->src.w[3];
		ip->daddr = f->dst.w[3];
		ip->check = csum_apply(ip->check, delta);
	}
	return CONTINUE;
}

/* In a socket buffer the sum may be left to the device, which then computes it whatever
 * the field holds. */
static __noinline int translate_sctp(ctx_t *ctx, const struct packet *p, const struct flow *f)
{
	__u32 *check = ctx_at(ctx, p->l4 + SCTP_CHECK_OFFSET, sizeof(*check));
	__be16 *port = ctx_at(ctx, p->l4, 4);
	__u32 diff;

	if (!port || !check)
		return DROP_MALFORMED;
	diff = (__u32)(port[0] ^ f->sport) | (__u32)(port[1] ^ f->dport) << 16;
	if (!diff)
		return CONTINUE;
	/* a fragment does not tell the length that the sum covers */
	if (p->fragment)
		return DROP_UNSUPPORTED;
	*check ^= sctp_check_diff(diff, p->length - (p->l4 - p->l3));
	port[0] = f->sport;
	port[1] = f->dport;
	return CONTINUE;
}

#ifdef MAGLANE_XDP

static __always_inline int translate_transport(ctx_t *ctx, const struct packet *p, const struct flow *f)
{
	if (p->key.proto == IPPROTO_TCP) {
		struct tcphdr *th = ctx_at(ctx, p->l4, sizeof(*th));

		if (!th)
			return DROP_MALFORMED;
		th->source = f->sport;
		th->dest = f->dport;
		th->check = csum_apply(th->check, f->l4_delta);
	} else if (p->key.proto == IPPROTO_UDP) {
		struct udphdr *uh = ctx_at(ctx, p->l4, sizeof(*uh));

		if (!uh)
			return DROP_MALFORMED;
		uh->source = f->sport;
		uh->dest = f->dport;
		/* zero: the sender computed none (RFC 768), so it must not come out by chance */
		if (uh->check) {
			__u16 check = csum_apply(uh->check, f->l4_delta);

			uh->check = check ? check : 0xffff;
		}
	} else {
		return translate_sctp(ctx, p, f);
	}
	return CONTINUE;
}

#else

/* In a socket buffer the checksum may be left to the device (the field then holds the sum of the
 * pseudo header alone), or be known as a sum over the whole packet. Only the kernel's helper knows
 * which, and a call for the addresses is owed; what it did to the field tells whether the field
 * covers the ports too, which then change it without a second call: a sum over the whole packet
 * stays what it was when a port and the checksum over it change together. */
static __always_inline int translate_transport(ctx_t *ctx, const struct packet *p, const struct flow *f)
{
	__u32 offset = p->l4;
	__u64 mangled = 0;
	__u16 before, own;
	__sum16 *check;
	__be16 *port;

	if (p->key.proto == IPPROTO_TCP) {
		offset += offsetof(struct tcphdr, check);
	} else if (p->key.proto == IPPROTO_UDP) {
		offset += offsetof(struct udphdr, check);
		mangled = BPF_F_MARK_MANGLED_0;
	} else {
		return translate_sctp(ctx, p, f);
	}
	port = ctx_at(ctx, p->l4, 4);
	check = ctx_at(ctx, offset, sizeof(*check));
	if (!port || !check)
		return DROP_MALFORMED;
	port[0] = f->sport;
	port[1] = f->dport;
	before = *check;
	if (mangled && !before) /* the sender computed none (RFC 768) */
		return CONTINUE;
	if (csum_is_zero(f->addr_delta)) /* only the ports change */
		return bpf_l4_csum_replace(ctx, offset, 0, f->l4_delta, mangled) ? DROP_MALFORMED : CONTINUE;
	if (bpf_l4_csum_replace(ctx, offset, 0, f->addr_delta,
				BPF_F_PSEUDO_HDR | mangled | (p->v6 ? CSUM_F_IPV6 : 0)) &&
	    bpf_l4_csum_replace(ctx, offset, 0, f->addr_delta, BPF_F_PSEUDO_HDR | mangled))
		return DROP_MALFORMED;
	check = ctx_at(ctx, offset, sizeof(*check));
	if (!check)
		return DROP_MALFORMED;
	own = csum_apply(before, f->addr_delta);
	if (*check == (mangled && !own ? 0xffff : own)) {
		own = csum_apply(before, f->l4_delta);
		*check = mangled && !own ? 0xffff : own;
	}
	return CONTINUE;
}

#endif

/* The packet that an ICMP error quotes is one that the flow's other direction
 * sent: turned round, it takes this direction's translation. */
static __noinline int translate_quote(ctx_t *ctx, const struct packet *p, const struct flow *f)
{
	struct icmp *ic = ctx_at(ctx, p->l4, sizeof(*ic));
	__be16 *ports = ctx_at(ctx, p->inner_l4, 8);
	/* Everything that changes below the ICMP checksum; where a checksum inside
	 * changes with what it covers, the two cancel each other. */
	__u64 delta = 0;
	bool covered = false;

	if (!ic || !ports)
		return DROP_MALFORMED;
	delta += csum_port_diff(ports[0], f->dport) + csum_port_diff(ports[1], f->sport);
	ports[0] = f->dport;
	ports[1] = f->sport;
	if (p->key.proto == IPPROTO_UDP && ports[3]) {
		__u16 check = csum_apply(ports[3], f->l4_delta);

		ports[3] = check ? check : 0xffff;
		covered = true;
	} else if (p->key.proto == IPPROTO_TCP) {
		struct tcphdr *th = ctx_at(ctx, p->inner_l4, sizeof(*th));

		if (th) {
			th->check = csum_apply(th->check, f->l4_delta);
			covered = true;
		}
	}
	if (p->v6) {
		struct ipv6hdr *ip = ctx_at(ctx, p->inner, sizeof(*ip));

		if (!ip)
			return DROP_MALFORMED;
		addr_set6((struct addr *)&ip->saddr, f->dst.w);
		addr_set6((struct addr *)&ip->daddr, f->src.w);
		delta += f->addr_delta;
	} else {
		struct iphdr *ip = ctx_at(ctx, p->inner, sizeof(*ip));

		if (!ip)
			return DROP_MALFORMED;
		ip->saddr = f->dst.w[3];
		ip->daddr = f->src.w[3];
		ip->check = csum_apply(ip->check, f->addr_delta);
	}
	if (covered)
		delta += (__u16)~f->l4_delta;
	ic->check = csum_apply(ic->check, delta);
	return CONTINUE;
}

/* ICMPv6's checksum covers the addresses of the packet that carries it. */
static __always_inline int translate_error_outer6(ctx_t *ctx, const struct packet *p, const struct flow *f, bool keep_src)
{
	struct ipv6hdr *ip = ctx_at(ctx, p->l3, sizeof(*ip));
	struct icmp *ic = ctx_at(ctx, p->l4, sizeof(*ic));
	__u64 delta;

	if (!ip || !ic)
		return DROP_MALFORMED;
	delta = csum_addr_diff((struct addr *)&ip->daddr, &f->dst);
	if (!keep_src)
		delta += csum_addr_diff((struct addr *)&ip->saddr, &f->src);
	ic->check = csum_apply(ic->check, delta);
	return CONTINUE;
}

static __noinline int translate_icmp_error(ctx_t *ctx, const struct packet *p, const struct flow *f)
{
	/* A router's own address stays, unless the flow hides its client or backend. */
	bool keep_src = addr_equal(&f->src, &p->key.src);
	int r = translate_quote(ctx, p, f);

	if (r == CONTINUE && p->v6)
		r = translate_error_outer6(ctx, p, f, keep_src);
	if (r == CONTINUE)
		r = translate_ip(ctx, p, f, keep_src);
	return r;
}

static __always_inline int translate(ctx_t *ctx, const struct packet *p, const struct flow *f)
{
	int r;

	if (unlikely(p->icmp == ICMP_ERROR))
		return translate_icmp_error(ctx, p, f);
	r = translate_ip(ctx, p, f, false);
	if (r != CONTINUE || p->fragment == FRAG_LATER)
		return r;
	return translate_transport(ctx, p, f);
}

#endif
