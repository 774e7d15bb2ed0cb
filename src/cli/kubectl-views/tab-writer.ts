// SPDX-License-Identifier: Apache-2.0
/** Columns as Go's text/tabwriter aligns them: kubectl's tables and descriptions. */

export interface TabStyle {
  /** Least width of a cell, its padding included. */
  readonly minWidth: number
  readonly padding: number
}

/** Of `kubectl get` (cli-runtime, printers.GetNewTabWriter). */
export const TABLE_STYLE: TabStyle = { minWidth: 6, padding: 3 }
/** Of `kubectl describe` (describe.tabbedString). */
export const DESCRIBE_STYLE: TabStyle = { minWidth: 0, padding: 2 }

/**
 * Lines of cells, each line ending with a newline. The last cell of a line belongs to no column; a column is as wide as
 * it must be in lines that follow each other, and begins anew after a line that does not have it.
 */
export function formatTabs(lines: readonly (readonly string[])[], style: TabStyle): string {
  const widths = lines.map((): number[] => [])
  for (const [at, line] of lines.entries())
    for (let column = 0; column < line.length - 1; column++) {
      if (widths[at]?.[column] !== undefined) continue
      const block = blockOf(lines, at, column)
      const longest = block.reduce((most, cells) => Math.max(most, (cells[column] ?? '').length), 0)
      const width = Math.max(style.minWidth, longest + style.padding)
      for (let offset = 0; offset < block.length; offset++) widths[at + offset]![column] = width
    }
  return lines
    .map((line, at) => `${line.map((cell, column) => cell.padEnd(widths[at]?.[column] ?? 0)).join('')}\n`)
    .join('')
}

function blockOf(lines: readonly (readonly string[])[], start: number, column: number): (readonly string[])[] {
  const end = lines.findIndex((line, at) => at > start && line.length - 1 <= column)
  return lines.slice(start, end < 0 ? undefined : end)
}
