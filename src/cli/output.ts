// SPDX-License-Identifier: Apache-2.0
/** How a command prints its result: JSON for machines, a table for people. */

import type { Args, Io } from './command.ts'
import { type Column, formatTable } from './table.ts'

/** Two-space JSON and a newline. Maps become objects, sets arrays, bigints numbers where a number holds them exactly, else strings. */
export function toJson(value: unknown, indent: number | undefined = 2): string {
  return `${JSON.stringify(value, replacer, indent)}\n`
}

function replacer(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') {
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value)
  }
  if (value instanceof Map) return Object.fromEntries(value)
  if (value instanceof Set) return [...value]
  return value
}

/** Rows as a JSON array, or as a table; `none` is what a person reads where there is no row. */
export function printRows<Row>(
  args: Pick<Args, 'output'>,
  io: Pick<Io, 'stdout'>,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  none: string,
): void {
  if (args.output === 'json') io.stdout(toJson(rows))
  else io.stdout(rows.length === 0 ? `${none}\n` : formatTable(columns, rows))
}
