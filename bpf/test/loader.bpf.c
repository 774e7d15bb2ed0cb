// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * Small programs that show what the loader, the maps and the links of the
 * control plane do, without the dataplane: see test/bpf/.
 */
#include "bpf.h"
#include "maps.h"
#include "config.h"

static __always_inline void count(__u32 reason, __u64 bytes)
{
	struct reason_count *counter = bpf_map_lookup_elem(&reasons, &reason);

	if (!counter)
		return;
	counter->packets++;
	counter->bytes += bytes;
}

static __always_inline void report(__u8 hook, __u32 ifindex, __u32 length)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return;
	__builtin_memset(event, 0, sizeof(*event));
	event->hook = hook;
	event->ifindex = ifindex;
	event->length = length;
	event->sport = bpf_htons(4660);
	bpf_ringbuf_submit(event, 0);
}

/* Turns its packet's first byte over; knobs decide about the verdict and about
 * a part of the code. */
SEC("xdp")
int loader_xdp(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if ((void *)(data + 1) > end)
		return XDP_ABORTED;
	*data = ~*data;
	count(FORWARD_NEW, end - (void *)data);
	if (cfg.trace)
		report(HOOK_XDP, ctx->ingress_ifindex, end - (void *)data);
	return cfg.masquerade_all ? XDP_DROP : XDP_PASS;
}

/* Answers with its packet's mark, so that a context can be seen to arrive. */
SEC("tc")
int loader_tc(struct __sk_buff *skb)
{
	count(FORWARD_FLOW, skb->len);
	report(HOOK_TC_NET_IN, skb->ifindex, skb->len);
	skb->mark++;
	return skb->mark == 8 ? 2 /* TC_ACT_SHOT */ : 0 /* TC_ACT_OK */;
}

/* Another one of the same type, to put in its place. */
SEC("tc")
int loader_tc_next(struct __sk_buff *skb)
{
	count(FORWARD_REPLY, skb->len);
	return 0;
}

SEC("cgroup/connect4")
int loader_connect4(struct bpf_sock_addr *ctx)
{
	count(FORWARD_SOCKET, bpf_ntohs(ctx->user_port));
	return 1;
}

/* What the verifier refuses: a packet read beyond its known end. */
SEC("?xdp")
int loader_refused(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;

	return data[2];
}

char _license[] SEC("license") = "GPL";
