/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* The way of a packet through maglane: parse, flow, service, select, translate, send. */
#ifndef MAGLANE_CORE_H
#define MAGLANE_CORE_H

#include "translate.h"
#include "answer.h"

/* From XDP to tc on the same device: this packet is translated already. Its new
 * tuple is one that a client may also use directly, so tc could not tell. It is the
 * frame's metadata, which no sender can write. */
struct handover {
	__u32 magic;
	__u32 ifindex;
};

#define HANDOVER_MAGIC 0x6d676c6e

#ifdef MAGLANE_XDP

/* False where the driver has no metadata: tc has to translate. */
static __always_inline bool handover_put(ctx_t *ctx, const struct packet *p)
{
	struct handover *h;

	if (cfg.synthetic) /* nobody follows, and a test run would show it as part of the packet */
		return true;
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*h)))
		return false;
	h = (void *)(long)ctx->data_meta;
	if ((void *)(h + 1) > (void *)(long)ctx->data)
		return false;
	h->magic = HANDOVER_MAGIC;
	h->ifindex = p->ifindex;
	return true;
}

static __always_inline bool handover_taken(const ctx_t *ctx)
{
	(void)ctx;
	return false;
}

#else

static __always_inline bool handover_put(ctx_t *ctx, const struct packet *p)
{
	(void)ctx;
	(void)p;
	return true;
}

static __always_inline bool handover_taken(const ctx_t *ctx)
{
	const struct handover *h = (void *)(long)ctx->data_meta;

	return (void *)(h + 1) <= (void *)(long)ctx->data && h->magic == HANDOVER_MAGIC && h->ifindex == ctx->ifindex;
}

#endif

/* Does the packet go on through the stack, not by its flow's hop? */
static __always_inline bool flow_goes_up(const struct packet *p, const struct flow *f)
{
	if (!(f->flags & FLOW_F_REDIRECT))
		return true;
	/* for the node itself, and on its way there already */
	return f->hop.flags & HOP_F_INGRESS && f->hop.ifindex == p->ifindex &&
	       (p->key.dir == DIR_INGRESS || p->ifindex == LOOPBACK_IFINDEX);
}

/* A packet that left by its flow's hop, or goes on through the stack. */
static __always_inline int flow_send(ctx_t *ctx, const struct packet *p, const struct flow *f, bool fresh)
{
	struct ethhdr *eth;

	if (flow_goes_up(p, f))
		return CTX_PASS;
#ifndef MAGLANE_XDP
	if (!fresh && !cfg.synthetic)
		return bpf_redirect_neigh(f->hop.ifindex, NULL, 0, 0);
#else
	(void)fresh;
#endif
	eth = ctx_at(ctx, 0, sizeof(*eth));
	if (!eth)
		return CTX_DROP;
	ctx_put_mac(eth->h_dest, f->hop.dmac);
	ctx_put_mac(eth->h_source, f->hop.smac);
#ifdef MAGLANE_XDP
	if (f->hop.ifindex == p->ifindex)
		return XDP_TX;
	return bpf_redirect(f->hop.ifindex, 0);
#else
	return bpf_redirect(f->hop.ifindex, f->hop.flags & HOP_F_INGRESS ? BPF_F_INGRESS : 0);
#endif
}

/* Ask for the next hop again. The packet that asks goes by the kernel's own
 * neighbour output, which keeps the neighbour's entry alive. */
static __noinline int flow_refresh_hop(ctx_t *ctx, const struct packet *p, struct flow *f, __u32 epoch)
{
	struct hop hop = {};
	struct addr src;
	int r = route(ctx, p->ifindex, &f->dst, &hop, &src);

	if (r == ROUTE_LOCAL)
		return DROP_NO_ROUTE;
	if (r != CONTINUE)
		return r;
	/* no MAC is used while the others are written */
	f->hop.flags = 0;
	barrier();
	f->hop.ifindex = hop.ifindex;
	f->hop.mtu = hop.mtu;
	__builtin_memcpy(f->hop.dmac, hop.dmac, ETH_ALEN);
	__builtin_memcpy(f->hop.smac, hop.smac, ETH_ALEN);
	barrier();
	f->hop.flags = hop.flags;
	f->hop_epoch = epoch;
	f->hop_s = now_s(bpf_ktime_get_coarse_ns());
	return CONTINUE;
}

/* Bytes of IP that the packet will be on the wire. */
static __always_inline __u32 wire_length(ctx_t *ctx, const struct packet *p)
{
#ifdef MAGLANE_XDP
	(void)ctx;
	return p->length;
#else
	__u32 gso = ctx->gso_size;

	if (gso) {
		struct tcphdr *th = ctx_at(ctx, p->l4, sizeof(*th));

		return gso + p->l4 - p->l3 + (p->key.proto == IPPROTO_TCP && th ? th->doff * 4 : sizeof(struct udphdr));
	}
	return ctx->len - p->l3;
#endif
}

/* What a router owes a packet: CONTINUE, or why it cannot be sent on. */
static __always_inline int flow_forwardable(ctx_t *ctx, const struct packet *p, const struct flow *f)
{
	if (f->hop.flags & HOP_F_INGRESS)
		return CONTINUE;
	if (unlikely(p->ttl <= 1 && flow_is_routed(f)))
		return REJECT_TTL;
	if (unlikely(f->hop.mtu && wire_length(ctx, p) > f->hop.mtu))
		return REJECT_TOO_BIG;
	return CONTINUE;
}

/* The packet becomes the answer to itself. f: its flow, NULL for none. Returns
 * what the hook returns. */
__noinline int CHECKED_ONCE(answer)(ctx_t *ctx, const struct packet *p, const struct subject *s,
				     const struct flow *f, __u32 reason)
{
	const struct control *ctl = control_get();
	struct service_stat *st;
	int r;

	if (!p || !s)
		return CTX_DROP;
	st = service_stat(f ? f->service : s->service);
	if (!addr_is_unicast(&p->key.src))
		r = -1;
	else if (reason == ANSWER_PING)
		r = answer_ping(ctx, p);
	else if (reason == REJECT_TOO_BIG)
		r = answer_too_big(ctx, p, f ? f->hop.mtu : 0);
	else if (reason == REJECT_TTL)
		r = answer_ttl(ctx, p);
	else
		r = answer_refusal(ctx, p);
	if (st && reason != ANSWER_PING)
		st->refused++;
	conclude(ctx, p, s, f, ctl, r ? DROP_REPLY_FAILED : reason);
	return r ? CTX_DROP : answer_send(p);
}

/* A packet that is not translated: what the hook returns for it. */
static __always_inline int dismiss(ctx_t *ctx, const struct packet *p, const struct subject *s,
				   const struct control *ctl, __u32 reason)
{
	if (unlikely(reason == ANSWER_PING || (reason >= REJECT_NO_ENDPOINT && reason < DROP_MALFORMED)))
		return CHECKED_ONCE(answer)(ctx, p, s, NULL, reason);
	if (unlikely(reason >= DROP_MALFORMED && s->kind)) {
		struct service_stat *st = service_stat(s->service);

		if (st)
			st->refused++;
	}
	conclude(ctx, p, s, NULL, ctl, reason);
	return reason >= DROP_MALFORMED ? CTX_DROP : CTX_PASS;
}

/* Once in a while: what depends on the time. */
static __noinline int flow_touch(const struct packet *p, struct flow *f)
{
	__u64 now = bpf_ktime_get_coarse_ns();

	/* without its neighbour a hop is not fresh */
	if (now_s(now) - f->hop_s > HOP_MAX_AGE_S && !(f->hop.flags & HOP_F_INGRESS))
		f->hop.flags &= ~HOP_F_NEIGH;
	/* An ICMP error keeps nothing alive: anyone may send one. */
	if (p->icmp == ICMP_ERROR)
		return 0;
	f->seen_ns = now;
	f->seen_ticks = ticks_now();
	if (f->flags & FLOW_F_AFFINITY && !(f->flags & FLOW_F_REPLY))
		affinity_touch(f->affinity_id, &p->key.src, now);
	return 0;
}

/* A packet that has an entry. CONTINUE: action is what the hook returns; else the reason
 * why it was not translated. */
static __always_inline int flow_apply(ctx_t *ctx, const struct packet *p, const struct subject *s,
				      struct flow *f, const struct control *ctl, __u32 reason, int *action)
{
	bool fresh = true;
	int r;

	if (unlikely(ticks_now() - f->seen_ticks >= FLOW_TICKS))
		flow_touch(p, f);
	if (f->flags & FLOW_F_REDIRECT) {
		fresh = hop_is_fresh(f, ctl);
		if (IS_XDP) {
			if (f->hop.flags & HOP_F_INGRESS) {
				if (f->hop.ifindex != p->ifindex)
					return PASS_LATER_HOOK;
			} else if (!fresh || !(f->hop.flags & HOP_F_XDP)) {
				return PASS_LATER_HOOK;
			}
		} else if (!fresh) {
			r = flow_refresh_hop(ctx, p, f, ctl->hop_epoch);
			if (r != CONTINUE)
				return r;
		}
		r = flow_forwardable(ctx, p, f);
		if (unlikely(r != CONTINUE)) {
			*action = CHECKED_ONCE(answer)(ctx, p, s, f, r);
			return CONTINUE;
		}
	}
	if (IS_XDP && flow_goes_up(p, f) && !handover_put(ctx, p))
		return PASS_LATER_HOOK;
	if (likely(p->icmp != ICMP_ERROR))
		flow_track(p, f);
	if (unlikely(p->fragment == FRAG_FIRST))
		frag_record(p);
	r = translate(ctx, p, f);
	if (r != CONTINUE)
		return r;
	if (!(f->flags & FLOW_F_REPLY)) {
		struct service_stat *st = service_stat(f->service);

		if (st) {
			st->packets++;
			st->bytes += ctx_len(ctx);
		}
	}
	conclude(ctx, p, s, f, ctl, reason);
	*action = flow_send(ctx, p, f, fresh);
	return CONTINUE;
}

static __always_inline int flow_reason(const struct packet *p, const struct flow *f)
{
	if (p->icmp == ICMP_ERROR)
		return FORWARD_ICMP_ERROR;
	return f->flags & FLOW_F_REPLY ? FORWARD_REPLY : FORWARD_FLOW;
}

/* Is the client one of the cluster's pods, or this node? (KEP-2086, detectLocalMode) */
static __always_inline bool client_is_internal(const struct packet *p)
{
	if (packet_is_from_host(p))
		return true;
	if (cfg.detect_by_device) {
		struct device *dev = device_get(p->ifindex);

		return dev && dev->flags & DEV_F_IN_CLUSTER;
	}
	return addr_in_cluster(&p->key.src);
}

/* A flow's first packet, to a frontend: may it, and to which backend? CONTINUE: s names it. */
static __noinline int service_admit(const struct packet *p, const struct frontend *fe, struct subject *s)
{
	const struct backend_set *set;

	s->service = fe->service;
	s->kind = fe->kind;
	if (fe->flags & FE_F_LOOPBACK && !packet_is_from_host(p))
		return PASS_NOT_SERVICE;
	if (fe->flags & FE_F_SOURCE_RANGES && !source_allowed(fe->service, &p->key.src))
		return DROP_SOURCE_RANGE;
	s->scope = fe->flags & FE_F_SCOPED && !client_is_internal(p) ? SCOPE_EXTERNAL : SCOPE_INTERNAL;
	set = s->scope == SCOPE_EXTERNAL ? &fe->sets[SCOPE_EXTERNAL] : &fe->sets[SCOPE_INTERNAL];
	/* the sender has closed already: nothing is owed */
	if (p->tcp_flags & TCP_RST)
		return DROP_NO_FLOW;
	if (!set->slots)
		return set->empty == EMPTY_DROP ? DROP_NO_LOCAL_ENDPOINT : REJECT_NO_ENDPOINT;
	s->backend = backend_select(fe, set, &p->key.src, hash_flow(cfg.seed, &p->key));
	return s->backend ? CONTINUE : PASS_NO_MEMORY;
}

/* Is this the middle of a connection that conntrack knows from the client to the VIP
 * itself? What maglane translates reaches conntrack as client ↔ backend: another proxy
 * made this one, and its connections live on. CONTINUE: no. */
static __noinline int leave_to_stack(ctx_t *ctx, const struct packet *p)
{
	if (!cfg.have_conntrack || p->key.proto != IPPROTO_TCP || starts_flow(p) || p->key.dir == DIR_EGRESS)
		return CONTINUE;
#ifdef MAGLANE_XDP
	(void)ctx;
	return PASS_LATER_HOOK;
#else
	struct flow_draft *draft = draft_get();

	if (!draft)
		return PASS_NO_MEMORY;
	draft->reply_key.src = p->key.dst;
	draft->reply_key.dst = p->key.src;
	draft->reply_key.sport = p->key.dport;
	draft->reply_key.dport = p->key.sport;
	return tuple_is_tracked(ctx, p, &draft->reply_key) ? PASS_TRACKED : CONTINUE;
#endif
}

/* A packet to an address that is a VIP as a whole, on a port that nobody claims. */
static __always_inline int wildcard_verdict(const struct packet *p, const struct frontend *fe, struct subject *s)
{
	s->service = fe->service;
	s->kind = fe->kind;
	if (p->icmp == ICMP_PING) {
		if (fe->flags & FE_F_ANSWER_PING && p->fragment == FRAG_NONE)
			return ANSWER_PING;
		return fe->flags & FE_F_REFUSE_UNKNOWN ? DROP_PING : PASS_NOT_SERVICE;
	}
	if (!(fe->flags & FE_F_REFUSE_UNKNOWN))
		return PASS_NOT_SERVICE;
	if (p->fragment == FRAG_LATER)
		return DROP_NO_FIRST_FRAGMENT;
	if (p->icmp)
		return DROP_UNSUPPORTED;
	/* the sender has closed already: nothing is owed */
	if (p->tcp_flags & TCP_RST)
		return DROP_NO_FLOW;
	return REJECT_UNKNOWN_PORT;
}

/* A client's direct packet to a backend that it also reaches through a VIP from the
 * same port: the reply's tuple is the VIP's flow's, so this one needs a flow too, and
 * another port. What stands in for its frontend and backend is put in the draft. */
static __noinline bool direct_collides(const struct packet *p)
{
	struct flow_key k = {
		.src = p->key.dst,
		.dst = p->key.src,
		.sport = p->key.dport,
		.dport = p->key.sport,
		.proto = p->key.proto,
		.dir = DIR_EGRESS,
	};
	struct flow_draft *draft = draft_get();
	struct flow *f;

	if (p->key.dir == DIR_EGRESS || p->icmp || !starts_flow(p))
		return false;
	f = flow_lookup(&k);
	/* a request's entry instead: the packet is its reply, translated already */
	if (!f || !(f->flags & FLOW_F_REPLY) || flow_is_closed(f) || !draft)
		return false;
	/* marked so that nothing is masqueraded */
	draft->frontend = (struct frontend){ .flags = FE_F_SCOPED };
	draft->backend = (struct backend){ .addr = p->key.dst, .port = p->key.dport, .flags = BE_F_LOCAL };
	return true;
}

static __always_inline bool addr_in_service_cidr(const struct addr *a, const struct control *ctl)
{
	for (__u32 i = 0; i < CIDR_MAX; i++) {
		if (i >= ctl->service_cidrs_len)
			return false;
		if (addr_in(a, &ctl->service_cidrs[i]))
			return true;
	}
	return false;
}

/* Could the packet be for a port that SNAT gave away? */
static __always_inline bool dst_is_snat(const struct packet *p)
{
	__u16 port = bpf_ntohs(p->key.dport);

	return port >= cfg.snat_port_min && port <= cfg.snat_port_max;
}

/* How a packet relates to Services, from two bits of the filter. */
struct interest {
	bool tuple;    /* a frontend's or a known backend's address and port, or a SNAT port */
	bool wildcard; /* a VIP */
};

static __always_inline void interest_of_dst(const struct packet *p, const struct filter *flt, struct interest *i)
{
	__u32 sum = filter_addr(&p->key.dst);

	i->tuple |= filter_test(flt, filter_bit(sum, p->key.dport, p->key.proto));
	i->wildcard = filter_test(flt, filter_bit(sum, 0, 0));
}

/* What to do with a packet. CONTINUE: it is done, and action is what the hook returns. */
static __always_inline int decide(ctx_t *ctx, struct packet *p, struct subject *s, const struct control *ctl,
				  const struct filter *flt, int *action)
{
	struct interest interest = {};
	struct frontend *fe = NULL;
	struct service_stat *st;
	struct flow_draft *draft;
	struct backend *be;
	struct flow *f;
	/* may the packet be a client's to a VIP, or only a reply? */
	bool request = p->hook != HOOK_TC_POD_OUT;
	int r;

	r = parse(ctx, p);
	if (r != CONTINUE)
		return r;
	if (unlikely(p->fragment == FRAG_LATER)) {
		/* without its first fragment it counts as one to port 0 */
		interest.tuple = frag_ports(p) == CONTINUE;
		if (!interest.tuple)
			p->key.sport = p->key.dport = 0;
	}
#ifndef MAGLANE_XDP
	/* what the node itself sends; a forwarded packet was seen when it came in */
	if (p->hook == HOOK_TC_NET_OUT)
		request = ctx->ingress_ifindex == 0;
#endif
	if (p->key.dir == DIR_EGRESS)
		interest.tuple |= filter_test(flt, filter_bit(filter_addr(&p->key.src), p->key.sport, p->key.proto));
	else
		interest.tuple |= dst_is_snat(p);
	if (request)
		interest_of_dst(p, flt, &interest);

	if (interest.tuple || interest.wildcard) {
		f = flow_lookup(&p->key);
		if (f && !flow_is_stale(p, f))
			return flow_apply(ctx, p, s, f, ctl, flow_reason(p, f), action);
		if (f)
			flow_delete(p, f);
	}
	if (!request || p->icmp == ICMP_ERROR)
		return PASS_NOT_SERVICE;
	if (interest.tuple && !p->icmp && p->fragment != FRAG_LATER)
		fe = frontend_lookup(&p->key.dst, p->key.dport, p->key.proto);
	if (!fe) {
		if (interest.wildcard)
			fe = frontend_lookup(&p->key.dst, 0, 0);
		if (fe)
			return wildcard_verdict(p, fe, s);
		if (unlikely(ctl->service_cidrs_len) && addr_in_service_cidr(&p->key.dst, ctl))
			return DROP_SERVICE_CIDR;
		if (!interest.tuple)
			return PASS_NOT_SERVICE;
		draft = draft_get();
		if (!draft || !direct_collides(p))
			return PASS_NOT_SERVICE;
		r = CHECKED_ONCE(flow_create)(ctx, p, &draft->frontend, &draft->backend, s);
		if (r != CONTINUE)
			return r;
	} else {
		r = leave_to_stack(ctx, p);
		if (r == CONTINUE)
			r = service_admit(p, fe, s);
		if (r != CONTINUE)
			return r;
		be = backend_get(s->backend);
		if (!be)
			return PASS_NO_MEMORY;
		r = CHECKED_ONCE(flow_create)(ctx, p, fe, be, s);
		if (r != CONTINUE)
			return r;
		st = service_stat(fe->service);
		if (st)
			st->flows++;
	}
	/* The draft still holds what was entered: no third lookup, which would also
	 * mark the entry as used, and a flood of first packets is to be forgotten first. */
	draft = draft_get();
	if (!draft)
		return PASS_NO_MEMORY;
	return flow_apply(ctx, p, s, &draft->request, ctl, FORWARD_NEW, action);
}

static __always_inline int handle(ctx_t *ctx, enum hook hook)
{
	struct packet p = { .hook = hook, .ifindex = ctx_ifindex(ctx) };
	struct subject s = {};
	const struct control *ctl = control_get();
	const struct filter *flt = filter_get();
	int action = CTX_PASS;
	int r;

	if (!ctl || !flt)
		return CTX_PASS;
	if (hook == HOOK_TC_NET_IN && handover_taken(ctx))
		return CTX_PASS;
	p.key.dir = hook == HOOK_TC_NET_OUT || hook == HOOK_TC_POD_OUT ? DIR_EGRESS : DIR_INGRESS;
	r = decide(ctx, &p, &s, ctl, flt, &action);
	return r == CONTINUE ? action : dismiss(ctx, &p, &s, ctl, r);
}

#endif
