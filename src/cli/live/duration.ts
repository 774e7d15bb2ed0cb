// SPDX-License-Identifier: Apache-2.0
/** Times of the maps, which count from boot, as ages. */

import { monotonicNs } from '../../ffi/clock.ts'

/** Seconds since a time of CLOCK_MONOTONIC; never negative, though the coarse clock of programs may run behind. */
export function secondsSince(timeNs: bigint, nowNs: bigint = monotonicNs()): number {
  return nowNs <= timeNs ? 0 : Math.floor(Number((nowNs - timeNs) / 1_000_000n) / 1000)
}

/** `5s`, `3m5s`, `2h3m`, `4d2h`. */
export function formatSeconds(seconds: number): string {
  const units = [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const
  const first = units.findIndex(([, size]) => seconds >= size)
  if (first < 0) return '0s'
  let rest = seconds
  return units
    .slice(first, first + 2)
    .map(([unit, size]) => {
      const count = Math.floor(rest / size)
      rest %= size
      return count === 0 ? '' : `${count}${unit}`
    })
    .join('')
}
