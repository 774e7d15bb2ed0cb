// SPDX-License-Identifier: Apache-2.0
/** Ages as kubectl says them. */

import type { Metadata } from '../../model/types.ts'

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const YEAR = 365 * DAY

/** `<unknown>` for an object that does not say when it was made: one of a folder. */
export function ageOf({ creationTimestamp }: Metadata, nowMs: number): string {
  return creationTimestamp === undefined ? '<unknown>' : humanDuration((nowMs - Date.parse(creationTimestamp)) / 1000)
}

/** Two units at most, the smaller one only while it matters (apimachinery, duration.HumanDuration). */
export function humanDuration(seconds: number): string {
  const whole = Math.trunc(seconds)
  // Clocks of two machines differ a little.
  if (whole < -1) return '<invalid>'
  if (whole < 0) return '0s'
  if (whole < 2 * MINUTE) return `${whole}s`
  if (whole < 10 * MINUTE) return units(whole, MINUTE, 'm', 1, 's')
  if (whole < 3 * HOUR) return `${Math.floor(whole / MINUTE)}m`
  if (whole < 8 * HOUR) return units(whole, HOUR, 'h', MINUTE, 'm')
  if (whole < 2 * DAY) return `${Math.floor(whole / HOUR)}h`
  if (whole < 8 * DAY) return units(whole, DAY, 'd', HOUR, 'h')
  if (whole < 2 * YEAR) return `${Math.floor(whole / DAY)}d`
  if (whole < 8 * YEAR) return units(whole, YEAR, 'y', DAY, 'd')
  return `${Math.floor(whole / YEAR)}y`
}

function units(seconds: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((seconds % large) / small)
  return `${Math.floor(seconds / large)}${largeName}${rest === 0 ? '' : `${rest}${smallName}`}`
}
