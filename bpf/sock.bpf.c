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

/* A socket's client for affinity is its network namespace, which is to say its
 * pod or the node: its source address is not known yet. No address of the wire
 * starts with these words (ffff:ffff::/32 is multicast). */
static __always_inline void client_of_socket(__u64 netns, struct addr *client)
{
	client->w[0] = 0xffffffff;
	client->w[1] = 0;
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
	if (reason == REJECT_NO_ENDPOINT || reason == REJECT_UNKNOWN_PORT) {
		struct service_stat *st = bpf_map_lookup_elem(&service_stats, &chosen->service);

		if (st)
			st->refused++;
		if (cfg.have_set_retval)
			bpf_set_retval(-ECONNREFUSED);
		return REFUSE;
	}
	return ALLOW;
}

/* Remember what the socket asked for, so that getpeername and recvmsg can say it. */
static __always_inline void socket_remember(struct socket_key *k, const struct socket_peer *chosen)
{
	struct socket_peer *old = bpf_map_lookup_elem(&sockets, k);

	if (old && old->service == chosen->service && old->port == chosen->port &&
	    addr_equal(&old->frontend, &chosen->frontend))
		return;
	bpf_map_update_elem(&sockets, k, chosen, BPF_ANY);
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

/* Choose for a socket that goes to `to`, which becomes the backend's. Returns what
 * the hook returns. */
static __always_inline int socket_translate(struct bpf_sock_addr *ctx, struct peer *to, enum hook hook, bool *changed)
{
	struct socket_peer chosen = { .frontend = to->addr, .port = to->port };
	struct socket_key k = {};
	__u8 proto = ctx->protocol;
	struct flow_key tuple = {};
	struct service_stat *st;
	struct frontend *fe;
	struct backend *be;
	struct addr client;
	__u64 netns;
	bool known;

	*changed = false;
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP && proto != IPPROTO_SCTP)
		return ALLOW;
	fe = frontend_of_peer(to, proto, &known);
	if (!fe)
		return ALLOW;
	netns = bpf_get_netns_cookie(ctx);
	if (!socket_is_ours(netns))
		return ALLOW;
	chosen.service = fe->service;
	if (!known)
		return conclude(to, &chosen, NULL,
				fe->flags & FE_F_REFUSE_UNKNOWN ? REJECT_UNKNOWN_PORT : PASS_NOT_SERVICE, hook, proto);
	if (fe->flags & FE_F_LOOPBACK && netns != cfg.host_netns)
		return ALLOW;
	/* The ranges are compared with the source address, which is chosen later. */
	if (fe->flags & FE_F_SOURCE_RANGES)
		return conclude(to, &chosen, NULL, PASS_SOCKET, hook, proto);
	/* A port that the application has bound may already talk to the chosen
	 * backend, directly or through another VIP; the kernel would refuse the
	 * second connection, tc gives it another port. The node's own NodePorts are
	 * not left to tc: their replies are martians, see hop_to_self(). */
	if (proto == IPPROTO_TCP && ctx->sk && ctx->sk->src_port &&
	    !(fe->kind == FE_NODE_PORT && netns == cfg.host_netns))
		return conclude(to, &chosen, NULL, PASS_SOCKET, hook, proto);
	if (!fe->sets[SCOPE_INTERNAL].slots)
		/* a drop shows as a timeout: the packets go to tc, which drops them */
		return conclude(to, &chosen, NULL,
				fe->sets[SCOPE_INTERNAL].empty == EMPTY_DROP ? PASS_SOCKET : REJECT_NO_ENDPOINT,
				hook, proto);
	k.cookie = bpf_get_socket_cookie(ctx);
	client_of_socket(netns, &client);
	tuple.src.w[2] = k.cookie;
	tuple.src.w[3] = k.cookie >> 32;
	tuple.dst = to->addr;
	tuple.dport = to->port;
	tuple.proto = proto;
	chosen.backend = backend_select(fe, &fe->sets[SCOPE_INTERNAL], &client, hash_flow(cfg.seed, &tuple));
	be = backend_get(chosen.backend);
	if (!chosen.backend || !be)
		return conclude(to, &chosen, NULL, PASS_NO_MEMORY, hook, proto);
	st = bpf_map_lookup_elem(&service_stats, &chosen.service);
	if (st)
		st->flows++;
	k.backend = be->addr;
	k.port = be->port;
	k.proto = proto;
	socket_remember(&k, &chosen);
	conclude(to, &chosen, be, FORWARD_SOCKET, hook, proto);
	to->addr = be->addr;
	to->port = be->port;
	*changed = true;
	return ALLOW;
}

/* The way back: is what the socket hears from a backend that it knows by a VIP? */
static __always_inline struct socket_peer *socket_recall(struct bpf_sock_addr *ctx, const struct peer *from)
{
	struct socket_key k = {
		.cookie = bpf_get_socket_cookie(ctx),
		.backend = from->addr,
		.port = from->port,
		.proto = ctx->protocol,
	};

	return bpf_map_lookup_elem(&sockets, &k);
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
	struct socket_peer *known;
	struct peer from = {};

	peer_get4(ctx, &from);
	known = socket_recall(ctx, &from);
	if (known)
		peer_put4(ctx, &known->frontend, known->port);
	return ALLOW;
}

static __always_inline int back6(struct bpf_sock_addr *ctx)
{
	struct socket_peer *known;
	struct peer from = {};

	peer_get6(ctx, &from);
	known = socket_recall(ctx, &from);
	if (known)
		peer_put6(ctx, &known->frontend, known->port);
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
