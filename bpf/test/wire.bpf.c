// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The lab's wires. A veth takes what its peer sends by XDP_TX only where an XDP
 * program of its own makes it poll: veth_xdp_flush() wakes nobody otherwise, and
 * the frame waits for the next one. Real network cards have no such condition. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int wire(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
