/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Where a translated packet goes when it does not go through the stack. */
#ifndef MAGLANE_ROUTE_H
#define MAGLANE_ROUTE_H

#include "config.h"
#include "filter.h"
#include "packet.h"
#include "reason.h"

#define AF_INET 2
#define AF_INET6 10

/* Linux 6.7; absent from older headers. Without it the device's own address
 * (struct device) stands in, as MASQUERADE would choose it. */
#define FIB_LOOKUP_SRC (1U << 4)

/* A hop is resolved again after this long even if nobody raised hop_epoch: the
 * agent may be down. Short enough for a neighbour that moved, long enough to
 * cost nothing. */
#define HOP_MAX_AGE_S 30

/* The destination is an address of this node. */
#define ROUTE_LOCAL -2

/* The clock is asked after this many jiffies: 0.1 s at HZ=1000, 1 s at HZ=100. Asking is a call,
 * and a call costs more than all the rest of a few packets' timekeeping; jiffies are a load. */
#define FLOW_TICKS 100

static __always_inline __u32 ticks_now(void)
{
	return bpf_jiffies64();
}

static __always_inline __u32 now_s(__u64 now_ns)
{
	return now_ns / 1000000000ULL;
}

/* How long a route is believed without asking: the lookup takes as long as two
 * entries of a table take to make, for IPv6 as ten. */
#define ROUTE_TICKS 100

static __always_inline struct flow_draft *draft_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&drafts, &zero);
}

static __always_inline struct device *device_get(__u32 ifindex)
{
	return bpf_map_lookup_elem(&devices, &ifindex);
}

static __always_inline void route_synthetic(const struct addr *dst, struct hop *hop, struct addr *src)
{
	hop->ifindex = 1;
	hop->flags = HOP_F_NEIGH | HOP_F_XDP;
	hop->mtu = 0;
	/* volatile members cannot be copied as a struct */
	for (int i = 0; i < 4; i++)
		src->w[i] = addr_is4(dst) ? cfg.synthetic_src4.w[i] : cfg.synthetic_src6.w[i];
}

static __always_inline int route_ask(ctx_t *ctx, __u32 in_ifindex, const struct addr *dst, struct hop *hop, struct addr *src)
{
	struct flow_draft *draft = draft_get();
	struct bpf_fib_lookup *fib;
	bool v4 = addr_is4(dst);
	struct device *dev = NULL;
	__u32 ifindex;
	long r;

	if (!draft)
		return DROP_NO_ROUTE;
	/* on the stack it would be 64 bytes, which the deepest calls do not have */
	_Static_assert(sizeof(*fib) == sizeof(draft->fib), "struct bpf_fib_lookup has another size");
	fib = (struct bpf_fib_lookup *)draft->fib;
	__builtin_memset(fib, 0, sizeof(*fib));
	fib->ifindex = in_ifindex;
	/* any length: with it the kernel tells the route's MTU, not the device's */
	fib->tot_len = 20;
	if (v4) {
		fib->family = AF_INET;
		fib->ipv4_dst = dst->w[3];
	} else {
		fib->family = AF_INET6;
		addr_set6((struct addr *)fib->ipv6_dst, dst->w);
	}
	r = bpf_fib_lookup(ctx, fib, sizeof(*fib), cfg.have_fib_src ? FIB_LOOKUP_SRC : 0);
	if (r == BPF_FIB_LKUP_RET_NOT_FWDED) /* local delivery */
		return ROUTE_LOCAL;
	if (r != BPF_FIB_LKUP_RET_SUCCESS && r != BPF_FIB_LKUP_RET_NO_NEIGH)
		return DROP_NO_ROUTE;
	ifindex = fib->ifindex;
	hop->ifindex = ifindex;
	hop->mtu = fib->tot_len; /* a union with mtu_result */
	hop->flags = 0;
	if (ifindex != in_ifindex || !cfg.have_fib_src)
		dev = device_get(ifindex);
	if (ifindex == in_ifindex || (dev && dev->flags & DEV_F_XDP))
		hop->flags = HOP_F_XDP;
	if (r == BPF_FIB_LKUP_RET_SUCCESS) {
		hop->flags |= HOP_F_NEIGH;
		__builtin_memcpy(hop->dmac, fib->dmac, ETH_ALEN);
		__builtin_memcpy(hop->smac, fib->smac, ETH_ALEN);
	} else {
		__builtin_memset(hop->dmac, 0, 2 * ETH_ALEN);
		/* mtu_result is only filled in on success */
		hop->mtu = 0;
	}
	if (cfg.have_fib_src) {
		if (v4)
			addr_set4(src, fib->ipv4_src);
		else
			addr_set6(src, fib->ipv6_src);
	} else if (dev) {
		*src = v4 ? dev->addr4 : dev->addr6;
	} else {
		return DROP_NO_ROUTE;
	}
	return CONTINUE;
}

static __always_inline struct known_route *known_route_of(const struct addr *dst)
{
	__u32 i = filter_bit(filter_addr(dst), 0, 0) & (KNOWN_ROUTES - 1);

	return bpf_map_lookup_elem(&routes, &i);
}

/* The next hop of what came in on in_ifindex towards dst, and the source address that the node would use.
 * CONTINUE, ROUTE_LOCAL, or a reason. */
static __noinline int route(ctx_t *ctx, __u32 in_ifindex, const struct addr *dst, struct hop *hop, struct addr *src)
{
	const struct control *ctl = control_get();
	struct known_route *known;
	int r;

	if (cfg.synthetic) {
		route_synthetic(dst, hop, src);
		return CONTINUE;
	}
	known = known_route_of(dst);
	if (!ctl || !known)
		return DROP_NO_ROUTE;
	if (known->in_ifindex == in_ifindex && known->hop_epoch == ctl->hop_epoch && addr_equal(&known->dst, dst) &&
	    ticks_now() - known->ticks < ROUTE_TICKS) {
		*hop = known->hop;
		*src = known->src;
		return CONTINUE;
	}
	r = route_ask(ctx, in_ifindex, dst, hop, src);
	/* where a neighbour is still being looked for, the next packet asks again */
	if (r != CONTINUE || !(hop->flags & HOP_F_NEIGH))
		return r;
	known->in_ifindex = in_ifindex;
	known->hop_epoch = ctl->hop_epoch;
	known->ticks = ticks_now();
	known->dst = *dst;
	known->src = *src;
	known->hop = *hop;
	return CONTINUE;
}

static __always_inline bool hop_is_fresh(const struct flow *f, const struct control *ctl)
{
	if (f->hop.flags & HOP_F_INGRESS)
		return true;
	return f->hop.flags & HOP_F_NEIGH && f->hop_epoch == ctl->hop_epoch;
}

#endif
