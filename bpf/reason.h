/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Every packet's one reason: counted and reported here and nowhere else. */
#ifndef MAGLANE_REASON_H
#define MAGLANE_REASON_H

#include "config.h"
#include "packet.h"

/* What is known of a packet besides its headers: filled in as it is found out. */
struct subject {
	__u32 service;
	__u32 backend;
	__u8 kind;
	__u8 scope;
	__u16 flags;
};

static __always_inline void count_reason(__u32 reason, __u32 bytes)
{
	struct reason_count *c = bpf_map_lookup_elem(&reasons, &reason);

	if (c) {
		c->packets++;
		c->bytes += bytes;
	}
}

static __always_inline struct service_stat *service_stat(__u32 service)
{
	return bpf_map_lookup_elem(&service_stats, &service);
}

static __always_inline struct control *control_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

static __noinline int report(ctx_t *ctx, const struct packet *p, const struct subject *s,
			     const struct flow *f, __u32 reason)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return -1;
	__builtin_memset(e, 0, sizeof(*e));
	e->time_ns = bpf_ktime_get_coarse_ns();
	e->reason = reason;
	e->hook = p->hook;
	e->proto = p->key.proto;
	e->kind = s->kind;
	e->flags = s->flags;
	e->scope = s->scope;
	e->icmp = p->icmp == ICMP_ERROR;
	e->service = s->service;
	e->backend = s->backend;
	e->ifindex = p->ifindex;
	e->length = ctx_len(ctx);
	e->src = p->key.src;
	e->dst = p->key.dst;
	e->sport = p->key.sport;
	e->dport = p->key.dport;
	if (f) {
		e->kind = f->kind;
		e->flags = f->flags;
		e->scope = f->flags & FLOW_F_INTERNAL ? SCOPE_INTERNAL : SCOPE_EXTERNAL;
		e->service = f->service;
		e->backend = f->backend;
		e->new_src = f->src;
		e->new_dst = f->dst;
		e->new_sport = f->sport;
		e->new_dport = f->dport;
	}
	bpf_ringbuf_submit(e, 0);
	return 0;
}

static __always_inline bool reported(const struct control *ctl, __u32 reason)
{
	return cfg.trace || unlikely(ctl && ctl->events >> reason & 1);
}

static __always_inline void conclude(ctx_t *ctx, const struct packet *p, const struct subject *s,
				     const struct flow *f, const struct control *ctl, __u32 reason)
{
	count_reason(reason, ctx_len(ctx));
	if (reported(ctl, reason))
		report(ctx, p, s, f, reason);
}

#endif
