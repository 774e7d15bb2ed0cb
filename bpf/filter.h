/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* The bitmap that lets traffic of no Service pass after one or two loads. */
#ifndef MAGLANE_FILTER_H
#define MAGLANE_FILTER_H

#include "maps.h"
#include "hash.h"

static __always_inline struct filter *filter_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&filter, &zero);
}

static __always_inline bool filter_test(const struct filter *f, __u32 bit)
{
	return f->words[(bit >> 6) & (FILTER_WORDS - 1)] >> (bit & 63) & 1;
}

/* Called for a backend when a flow needs its replies recognised by their
 * source. Only the sweeper clears bits, after it has seen every flow. */
static __always_inline void filter_set(struct filter *f, __u32 bit)
{
	if (!filter_test(f, bit))
		__sync_fetch_and_or(&f->words[(bit >> 6) & (FILTER_WORDS - 1)], 1ULL << (bit & 63));
}

#endif
