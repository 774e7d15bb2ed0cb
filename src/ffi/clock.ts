// SPDX-License-Identifier: Apache-2.0
/** The clock of bpf_ktime_get_ns(), so that times in maps can be compared with now. */

/** Nanoseconds of CLOCK_MONOTONIC: what process.hrtime() reads on Linux. */
export function monotonicNs(): bigint {
  return process.hrtime.bigint()
}
