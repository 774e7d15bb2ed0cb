// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * Socket hooks: a VIP is translated once, when a socket connects or a datagram is
 * sent, so that no packet of it needs to be. What the socket cannot decide (its
 * source address is not chosen yet) is left to tc.
 */
#include "config.h"
#include "filter.h"
#include "service.h"

#define ECONNREFUSED 111

#define ALLOW 1
#define REFUSE 0

/* Where a socket goes, or what it hears from. */
struct peer {
	struct addr addr;
	__be16 port;
};

static __always_inline struct control *control_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

static __always_inline void peer_get4(const struct bpf_sock_addr *ctx, struct peer *p)
{
	addr_set4(&p->addr, ctx->user_ip4);
	p->port = ctx->user_port;
}

static __always_inline void peer_put4(struct bpf_sock_addr *ctx, const struct addr *addr, __be16 port)
{
	ctx->user_ip4 = addr->w[3];
	ctx->user_port = port;
}

static __always_inline void peer_get6(const struct bpf_sock_addr *ctx, struct peer *p)
{
	p->addr.w[0] = ctx->user_ip6[0];
	p->addr.w[1] = ctx->user_ip6[1];
	p->addr.w[2] = ctx->user_ip6[2];
	p->addr.w[3] = ctx->user_ip6[3];
	p->port = ctx->user_port;
}

static __always_inline void peer_put6(struct bpf_sock_addr *ctx, const struct addr *addr, __be16 port)
{
	ctx->user_ip6[0] = addr->w[0];
	ctx->user_ip6[1] = addr->w[1];
	ctx->user_ip6[2] = addr->w[2];
	ctx->user_ip6[3] = addr->w[3];
	ctx->user_port = port;
}

/* The node's processes are one client for affinity, and one more for the other
 * family, whose backends have other addresses: the source address is not known
 * yet. No address of the wire starts with these words (ffff:ffff::/32 is
 * multicast). */
static __always_inline void client_of_socket(__u64 netns, const struct addr *to, struct addr *client)
{
	client->w[0] = 0xffffffff;
	client->w[1] = addr_is4(to);
	client->w[2] = netns;
	client->w[3] = netns >> 32;
}

static __always_inline void count(__u32 reason)
{
	struct reason_count *c = bpf_map_lookup_elem(&reasons, &reason);

	if (c)
		c->packets++;
}

/* Sockets have neither a device nor a length; src stays zero where it is not known. */
static __noinline int report_socket(const struct peer *to, const struct socket_peer *chosen,
				    const struct backend *be, __u32 reason_and_hook, __u8 proto)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return -1;
	__builtin_memset(e, 0, sizeof(*e));
	e->time_ns = bpf_ktime_get_coarse_ns();
	e->reason = reason_and_hook;
	e->hook = reason_and_hook >> 8;
	e->proto = proto;
	e->service = chosen->service;
	e->backend = chosen->backend;
	e->dst = to->addr;
	e->dport = to->port;
	if (be) {
		e->new_dst = be->addr;
		e->new_dport = be->port;
	}
	bpf_ringbuf_submit(e, 0);
	return 0;
}

static __always_inline int conclude(const struct peer *to, const struct socket_peer *chosen, const struct backend *be,
				    __u32 reason, enum hook hook, __u8 proto)
{
	struct control *ctl = control_get();

	count(reason);
	if (cfg.trace || unlikely(ctl && ctl->events >> reason & 1))
		report_socket(to, chosen, be, reason | hook << 8, proto);
	if (unlikely(reason == REJECT_NO_ENDPOINT || reason == REJECT_UNKNOWN_PORT)) {
		struct service_stat *st = bpf_map_lookup_elem(&service_stats, &chosen->service);

		if (st)
			st->refused++;
		if (cfg.have_set_retval)
			bpf_set_retval(-ECONNREFUSED);
		return REFUSE;
	}
	return ALLOW;
}

/* Remember what the socket asked for, so that getpeername and recvmsg can say it.
 * False: its peer is known by another VIP, and replies could not be told apart. */
static __always_inline bool udp_remember(struct socket_key *k, const struct socket_peer *chosen, enum hook hook)
{
	/* An unconnected socket sends to one peer many times, and connects seldom. */
	if (hook != HOOK_CONNECT) {
		struct socket_peer *old = bpf_map_lookup_elem(&sockets, k);

		if (old && (old->port != chosen->port || !addr_equal(&old->frontend, &chosen->frontend)))
			return false;
		if (old && old->service == chosen->service)
			return true;
	}
	bpf_map_update_elem(&sockets, k, chosen, BPF_ANY);
	return true;
}

static __always_inline struct tcp_peer *tcp_peer_of(__u64 cookie)
{
	__u32 i = cookie & (TCP_PEERS - 1);

	return bpf_map_lookup_elem(&tcp_peers, &i);
}

static __always_inline void tcp_remember(const struct socket_key *k, const struct socket_peer *chosen)
{
	struct tcp_peer *peer = tcp_peer_of(k->cookie);

	if (!peer)
		return;
	/* nobody's while it is written */
	peer->cookie = 0;
	barrier();
	peer->backend = k->backend;
	peer->backend_port = k->port;
	peer->frontend = chosen->frontend;
	peer->frontend_port = chosen->port;
	peer->service = chosen->service;
	barrier();
	peer->cookie = k->cookie;
}

static __always_inline struct frontend *frontend_of_peer(const struct peer *to, __u8 proto, bool *known)
{
	struct filter *flt = filter_get();
	__u32 sum = filter_addr(&to->addr);
	struct frontend *fe;

	*known = false;
	if (!flt)
		return NULL;
	if (filter_test(flt, filter_bit(sum, to->port, proto))) {
		fe = frontend_lookup(&to->addr, to->port, proto);
		if (fe) {
			*known = true;
			return fe;
		}
	}
	if (filter_test(flt, filter_bit(sum, 0, 0)))
		return frontend_lookup(&to->addr, 0, 0);
	return NULL;
}

/* Is this socket's network namespace one whose sockets are translated here? */
static __always_inline bool socket_is_ours(__u64 netns)
{
	if (cfg.socket_lb == SOCKET_LB_ALL)
		return true;
	return cfg.socket_lb == SOCKET_LB_HOST && netns == cfg.host_netns;
}

/* Nothing to count: the socket does not go to a Service, or is not ours. */
#define UNCONCERNED -1

/* Choose for a socket that goes to `to`: a reason. FORWARD_SOCKET: be is the backend. */
static __always_inline int socket_choose(struct bpf_sock_addr *ctx, const struct peer *to, enum hook hook,
					 struct socket_peer *chosen, struct backend **be)
{
	const struct backend_set *set;
	struct socket_key k = {};
	__u8 proto = ctx->protocol;
	struct service_stat *st;
	struct frontend *fe;
	struct addr client;
	__u64 netns = 0;
	bool known;

	if (unlikely(proto != IPPROTO_TCP && proto != IPPROTO_UDP && proto != IPPROTO_SCTP))
		return UNCONCERNED;
	fe = frontend_of_peer(to, proto, &known);
	if (!fe)
		return UNCONCERNED;
	/* most Services ask for no more than the socket's cookie */
	if (cfg.socket_lb != SOCKET_LB_ALL ||
	    unlikely(fe->flags & (FE_F_LOOPBACK | FE_F_AFFINITY) || fe->kind == FE_NODE_PORT))
		netns = bpf_get_netns_cookie(ctx);
	if (!socket_is_ours(netns))
		return UNCONCERNED;
	chosen->service = fe->service;
	if (unlikely(!known)) {
		if (!(fe->flags & FE_F_REFUSE_UNKNOWN))
			return PASS_NOT_SERVICE;
		/* Who connects a datagram socket may only ask which source address it would
		 * have: ping does, and getaddrinfo (RFC 6724). What it sends is refused by tc. */
		return proto == IPPROTO_UDP && hook == HOOK_CONNECT ? PASS_SOCKET : REJECT_UNKNOWN_PORT;
	}
	if (unlikely(fe->flags & FE_F_LOOPBACK && netns != cfg.host_netns))
		return UNCONCERNED;
	/* The ranges are compared with the source address, which is chosen later. */
	if (unlikely(fe->flags & FE_F_SOURCE_RANGES))
		return PASS_SOCKET;
	/* Affinity knows a pod by its address, whether a socket or tc sees what it sends. */
	if (unlikely(fe->flags & FE_F_AFFINITY && netns != cfg.host_netns))
		return PASS_SOCKET;
	/* A port that the application has bound may already talk to the chosen
	 * backend, directly or through another VIP; the kernel would refuse the
	 * second connection, tc gives it another port. The node's own NodePorts are
	 * not left to tc: their replies are martians, see hop_to_self(). */
	if (unlikely(proto == IPPROTO_TCP && ctx->sk && ctx->sk->src_port &&
		     !(fe->kind == FE_NODE_PORT && netns == cfg.host_netns)))
		return PASS_SOCKET;
	set = &fe->sets[SCOPE_INTERNAL];
	if (unlikely(!set->slots))
		/* a drop shows as a timeout: the packets go to tc, which drops them */
		return set->empty == EMPTY_DROP ? PASS_SOCKET : REJECT_NO_ENDPOINT;
	k.cookie = bpf_get_socket_cookie(ctx);
	client_of_socket(netns, &to->addr, &client);
	chosen->backend = backend_select(fe, set, &client, hash_socket(cfg.seed, k.cookie, fe->service));
	*be = backend_get(chosen->backend);
	if (unlikely(!chosen->backend || !*be))
		return PASS_NO_MEMORY;
	k.backend = (*be)->addr;
	k.port = (*be)->port;
	k.proto = proto;
	if (proto == IPPROTO_TCP)
		tcp_remember(&k, chosen);
	else if (unlikely(!udp_remember(&k, chosen, hook)))
		return PASS_SOCKET;
	st = bpf_map_lookup_elem(&service_stats, &chosen->service);
	if (st)
		st->flows++;
	return FORWARD_SOCKET;
}

/* Choose for a socket that goes to `to`, which becomes the backend's. Returns what
 * the hook returns. */
static __always_inline int socket_translate(struct bpf_sock_addr *ctx, struct peer *to, enum hook hook, bool *changed)
{
	struct socket_peer chosen = { .frontend = to->addr, .port = to->port };
	struct backend *be = NULL;
	int reason = socket_choose(ctx, to, hook, &chosen, &be);
	int r;

	*changed = false;
	if (reason == UNCONCERNED)
		return ALLOW;
	if (reason != FORWARD_SOCKET)
		be = NULL;
	r = conclude(to, &chosen, be, reason, hook, ctx->protocol);
	if (be) {
		to->addr = be->addr;
		to->port = be->port;
		*changed = true;
	}
	return r;
}

/* The way back: is what the socket hears from a backend that it knows by a VIP?
 * Then `from` becomes the VIP. */
static __always_inline bool socket_recall(struct bpf_sock_addr *ctx, struct peer *from)
{
	struct socket_key k = {
		.cookie = bpf_get_socket_cookie(ctx),
		.backend = from->addr,
		.port = from->port,
		.proto = ctx->protocol,
	};
	struct socket_peer *known;

	if (k.proto == IPPROTO_TCP) {
		struct tcp_peer *peer = tcp_peer_of(k.cookie);

		if (!peer || peer->cookie != k.cookie || peer->backend_port != k.port ||
		    !addr_equal(&peer->backend, &k.backend))
			return false;
		from->addr = peer->frontend;
		from->port = peer->frontend_port;
		return true;
	}
	known = bpf_map_lookup_elem(&sockets, &k);
	if (!known)
		return false;
	from->addr = known->frontend;
	from->port = known->port;
	return true;
}

static __always_inline int forth4(struct bpf_sock_addr *ctx, enum hook hook)
{
	struct peer to = {};
	bool changed;
	int r;

	peer_get4(ctx, &to);
	r = socket_translate(ctx, &to, hook, &changed);
	if (changed)
		peer_put4(ctx, &to.addr, to.port);
	return r;
}

/* Also sockets of AF_INET6 that speak IPv4: their addresses are mapped as ours are. */
static __always_inline int forth6(struct bpf_sock_addr *ctx, enum hook hook)
{
	struct peer to = {};
	bool changed;
	int r;

	peer_get6(ctx, &to);
	r = socket_translate(ctx, &to, hook, &changed);
	if (changed)
		peer_put6(ctx, &to.addr, to.port);
	return r;
}

static __always_inline int back4(struct bpf_sock_addr *ctx)
{
	struct peer from = {};

	peer_get4(ctx, &from);
	if (socket_recall(ctx, &from))
		peer_put4(ctx, &from.addr, from.port);
	return ALLOW;
}

static __always_inline int back6(struct bpf_sock_addr *ctx)
{
	struct peer from = {};

	peer_get6(ctx, &from);
	if (socket_recall(ctx, &from))
		peer_put6(ctx, &from.addr, from.port);
	return ALLOW;
}

SEC("cgroup/connect4")
int sock_connect4(struct bpf_sock_addr *ctx)
{
	return forth4(ctx, HOOK_CONNECT);
}

SEC("cgroup/connect6")
int sock_connect6(struct bpf_sock_addr *ctx)
{
	return forth6(ctx, HOOK_CONNECT);
}

SEC("cgroup/sendmsg4")
int sock_sendmsg4(struct bpf_sock_addr *ctx)
{
	return forth4(ctx, HOOK_SENDMSG);
}

SEC("cgroup/sendmsg6")
int sock_sendmsg6(struct bpf_sock_addr *ctx)
{
	return forth6(ctx, HOOK_SENDMSG);
}

SEC("cgroup/recvmsg4")
int sock_recvmsg4(struct bpf_sock_addr *ctx)
{
	return back4(ctx);
}

SEC("cgroup/recvmsg6")
int sock_recvmsg6(struct bpf_sock_addr *ctx)
{
	return back6(ctx);
}

SEC("cgroup/getpeername4")
int sock_peer4(struct bpf_sock_addr *ctx)
{
	return back4(ctx);
}

SEC("cgroup/getpeername6")
int sock_peer6(struct bpf_sock_addr *ctx)
{
	return back6(ctx);
}

char _license[] SEC("license") = "GPL";
