// SPDX-License-Identifier: Apache-2.0
/** A plain SVG of horizontal bars on a logarithmic scale. */

export interface Bar {
  readonly label: string
  /** Above 0. */
  readonly value: number
}

const WIDTH = 720
const LABEL_WIDTH = 220
const ROW = 28
const TOP = 48

const escaped = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;')

/** Each bar starts at a tenth of a unit. */
export function barChart(title: string, unit: string, bars: readonly Bar[]): string {
  const start = 0.1
  const span = Math.log10(Math.max(...bars.map((bar) => bar.value), 1) / start)
  const room = WIDTH - LABEL_WIDTH - 110
  const rows = bars.map(({ label, value }, index) => {
    const y = TOP + index * ROW
    const width = Math.max(1, (Math.log10(Math.max(value, start) / start) / span) * room)
    return [
      `<text x="${LABEL_WIDTH - 8}" y="${y + 15}" text-anchor="end">${escaped(label)}</text>`,
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="20" fill="#3b6ea5"/>`,
      `<text x="${(LABEL_WIDTH + width + 6).toFixed(1)}" y="${y + 15}">${value} ${escaped(unit)}</text>`,
    ].join('')
  })
  const height = TOP + bars.length * ROW + 12
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13">`,
    `<rect width="100%" height="100%" fill="#fff"/><text x="16" y="26" font-size="15">${escaped(title)} (log scale)</text>`,
    ...rows,
    '</svg>\n',
  ].join('\n')
}
