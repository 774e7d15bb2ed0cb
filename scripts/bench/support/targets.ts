// SPDX-License-Identifier: Apache-2.0
/** What the programs are to reach, relative to the reference programs of the same run. */

import type { Summary } from './statistics.ts'

export interface Target {
  readonly text: string
  readonly met: boolean
}

interface Row {
  readonly name: string
  readonly one: Summary | null
  readonly many: Summary | null
}

/** [how the case's name begins, factor, the reference] */
const limits: readonly (readonly [string, number, string])[] = [
  ['pass', 1.5, 'parse + LRU lookup'],
  ['established', 3, 'parse + LRU lookup'],
  ['first packet', 2, 'parse + LRU insert'],
]

/** Where parse + LRU lookup + DNAT costs this, the limits in `absolute` hold; elsewhere in proportion. */
const CALIBRATION = { name: 'parse + LRU lookup + DNAT', ns: 38 }
const absolute: readonly (readonly [string, number])[] = [
  ['pass', 35],
  ['established: SNAT', 117],
  ['reply', 100],
  ['first packet', 900],
]

/** Judges medians; the numbers that are given for one machine on the case of one flow. */
export function judge(rows: readonly Row[]): Target[] {
  return [...relative(rows, 'one', '1 flow'), ...relative(rows, 'many', '65,536 flows'), ...calibrated(rows)]
}

function relative(rows: readonly Row[], column: 'one' | 'many', label: string): Target[] {
  return rows.flatMap((row) => {
    const limit = limits.find(([start]) => row.name.startsWith(start))
    const value = row[column]
    if (!limit || !value) return []
    const [, factor, reference] = limit
    const full = row.name.endsWith(', table full') ? ', table full' : ''
    const base = rows.find(({ name }) => name === `${reference}${full}`)?.[column]
    if (!base) return []
    const ratio = (value.median / base.median).toFixed(1)
    return {
      text: `${row.name}, ${label}: ${value.median} is ${ratio} × ${reference} (${base.median}), wanted ${factor}`,
      met: value.median <= factor * base.median,
    }
  })
}

function calibrated(rows: readonly Row[]): Target[] {
  const base = rows.find(({ name }) => name === CALIBRATION.name)?.one
  if (!base) return []
  return rows.flatMap(({ name, one }) => {
    const limit = absolute.find(([start]) => name.startsWith(start))
    if (!limit || !one) return []
    const wanted = Math.round((limit[1] * base.median) / CALIBRATION.ns)
    return { text: `${name}, 1 flow: ${one.median} ns, wanted ${wanted}`, met: one.median <= wanted }
  })
}
