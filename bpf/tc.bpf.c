// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* tc on the node's devices ("net") and on the node's end of pod interfaces ("pod"). */
#include "core.h"

SEC("tc")
int tc_net_in(struct __sk_buff *ctx)
{
	return handle(ctx, HOOK_TC_NET_IN);
}

SEC("tc")
int tc_net_out(struct __sk_buff *ctx)
{
	return handle(ctx, HOOK_TC_NET_OUT);
}

SEC("tc")
int tc_pod_in(struct __sk_buff *ctx)
{
	return handle(ctx, HOOK_TC_POD_IN);
}

SEC("tc")
int tc_pod_out(struct __sk_buff *ctx)
{
	return handle(ctx, HOOK_TC_POD_OUT);
}

char _license[] SEC("license") = "GPL";
