// SPDX-License-Identifier: Apache-2.0
/** How long to wait before the next try. */

export interface BackOffOptions {
  /** Before the second try, in milliseconds. Default 50. */
  readonly firstMs?: number
  /** At most, in milliseconds. Default 30,000. */
  readonly maxMs?: number
}

/** Milliseconds before the try after `failures` failed ones; doubles each time. */
export function backOffMs(failures: number, { firstMs = 50, maxMs = 30_000 }: BackOffOptions = {}): number {
  return Math.min(maxMs, firstMs * 2 ** Math.max(0, failures - 1))
}
