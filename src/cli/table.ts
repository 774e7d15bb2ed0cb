// SPDX-License-Identifier: Apache-2.0
/** Tables for people: columns as wide as their widest cell. */

/** What a column shows of a row. */
export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => string | number | bigint
  /** Numbers stand at the right. */
  readonly align?: 'left' | 'right'
}

/** One line a row under a line of titles, ending with a newline. An empty cell shows as `-`. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map(({ cell }) => String(cell(row)) || '-'))
  const titles = columns.map(({ title }) => title.toUpperCase())
  return `${formatColumns(
    [titles, ...cells],
    columns.map(({ align }) => align ?? 'left'),
  )}\n`
}

/** Lines of padded cells, two blanks apart, without blanks at the end. */
export function formatColumns(
  lines: readonly (readonly string[])[],
  align: readonly ('left' | 'right')[] = [],
): string {
  const widths: number[] = []
  for (const line of lines) {
    for (const [i, cell] of line.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  }
  return lines
    .map((line) =>
      line
        .map((cell, i) => (align[i] === 'right' ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
