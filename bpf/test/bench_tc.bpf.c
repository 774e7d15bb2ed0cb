// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* The driver and the reference programs of `npm run bench -- packet`, for tc. */
#include "test/bench.h"

BENCH_PROGRAM("tc", driver, bench_drive(ctx))
BENCH_PROGRAM("tc", null, ((void)ctx, bench_null()))
BENCH_PROGRAM("tc", parse, reference_parse_only(ctx))
BENCH_PROGRAM("tc", parse_lookup, reference_lookup(ctx))
BENCH_PROGRAM("tc", parse_dnat, reference_dnat(ctx))
BENCH_PROGRAM("tc", parse_insert, reference_insert(ctx))

char _license[] SEC("license") = "GPL";
