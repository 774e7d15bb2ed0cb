// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The driver and the reference programs of `npm run bench -- packet`, for XDP. */
#define MAGLANE_XDP
#include "test/bench.h"

BENCH_PROGRAM("xdp", driver, bench_drive(ctx))
BENCH_PROGRAM("xdp", null, ((void)ctx, bench_null()))
BENCH_PROGRAM("xdp", parse, reference_parse_only(ctx))
BENCH_PROGRAM("xdp", parse_lookup, reference_lookup(ctx))
BENCH_PROGRAM("xdp", parse_dnat, reference_dnat(ctx))
BENCH_PROGRAM("xdp", parse_insert, reference_insert(ctx))

char _license[] SEC("license") = "GPL";
