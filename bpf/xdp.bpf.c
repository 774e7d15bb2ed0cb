// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* XDP on the node's devices: traffic from outside, and replies to it. */
#define MAGLANE_XDP
#include "core.h"

SEC("xdp")
int xdp_net(struct xdp_md *ctx)
{
	return handle(ctx, HOOK_XDP);
}

char _license[] SEC("license") = "GPL";
