/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * What XDP and tc call differently. The translation unit says which it is by
 * defining MAGLANE_XDP; all that follows this header is written once.
 */
#ifndef MAGLANE_CTX_H
#define MAGLANE_CTX_H

#include "bpf.h"
#include "csum.h"

/* lo of every network namespace. What is sent on it keeps its route when it comes
 * in again, so a packet changed there is delivered without being routed anew. */
#define LOOPBACK_IFINDEX 1

/* A function that the verifier checks once, by its signature alone, and not
 * again for each state that a call brings along. Its pointers may be NULL as far
 * as the verifier knows. The name tells XDP's copy from tc's when both are linked. */
#ifdef MAGLANE_XDP
#define CHECKED_ONCE(name) xdp_##name
#else
#define CHECKED_ONCE(name) tc_##name
#endif

#ifdef MAGLANE_XDP

typedef struct xdp_md ctx_t;
#define IS_XDP 1
#define CTX_PASS XDP_PASS
#define CTX_DROP XDP_DROP

static __always_inline __u32 ctx_ifindex(const ctx_t *ctx)
{
	return ctx->ingress_ifindex;
}

static __always_inline __u32 ctx_len(const ctx_t *ctx)
{
	__u64 len = (__u64)(long)ctx->data_end - (__u64)(long)ctx->data;

	/* else the compiler subtracts in 32 bits:
	 *   w1 -= w2;                  // "32-bit pointer arithmetic prohibited" */
	barrier_var(len);
	return len;
}

#else

#include <linux/pkt_cls.h>

typedef struct __sk_buff ctx_t;
#define IS_XDP 0
/* "Continue": other programs on the same device have their say (tcx), and so
 * have other filters (clsact). */
#define CTX_PASS TC_ACT_UNSPEC
#define CTX_DROP TC_ACT_SHOT

static __always_inline __u32 ctx_ifindex(const ctx_t *ctx)
{
	return ctx->ifindex;
}

static __always_inline __u32 ctx_len(const ctx_t *ctx)
{
	return ctx->len;
}

#endif

/* Offsets are kept small enough that the verifier sees them bounded:
 *   p = data + pkt->l4;            // "math between pkt pointer and register with unbounded min value"
 * Headers end below this. */
#define OFFSET_MASK 0x3ff

static __always_inline void *ctx_at(const ctx_t *ctx, __u32 offset, __u32 len)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *p = data + (offset & OFFSET_MASK);

	if (p + len > end)
		return NULL;
	return p;
}

/* struct ethhdr is packed, so the compiler would copy byte by byte. */
static __always_inline void ctx_put_mac(__u8 *to, const __u8 *from)
{
	*(__u32 *)to = *(const __u32 *)from;
	*(__u16 *)(to + 4) = *(const __u16 *)(from + 4);
}

/* The headers of a socket buffer may lie outside its linear part; XDP's never do. */
static __always_inline void ctx_pull(ctx_t *ctx, __u32 len)
{
#ifndef MAGLANE_XDP
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if (data + len > end && data + ctx->len > end)
		bpf_skb_pull_data(ctx, len < ctx->len ? len : ctx->len);
#else
	(void)ctx;
	(void)len;
#endif
}

#endif
