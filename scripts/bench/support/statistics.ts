// SPDX-License-Identifier: Apache-2.0
/** What is said of repeated measurements. */

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Of at least one value. */
export function summary(values: readonly number[]): Summary {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] as number
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2
}
