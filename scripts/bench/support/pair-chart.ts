// SPDX-License-Identifier: Apache-2.0
/** A plain SVG of pairs of horizontal bars in groups, on a linear scale. */

export interface PairChart {
  readonly title: string
  readonly subtitle: string
  /** What the two bars of a row are. */
  readonly legend: readonly [string, string]
  readonly groups: readonly {
    readonly title: string
    readonly rows: readonly {
      readonly label: string
      /** Drawn paler: what others are compared with. */
      readonly muted: boolean
      readonly first: number | null
      readonly second: number | null
    }[]
  }[]
}

const WIDTH = 900
const LABEL_WIDTH = 300
const ROOM = WIDTH - LABEL_WIDTH - 80
const BAR = 11
const ROW = 2 * BAR + 8
const colours = [
  { plain: '#1f5f99', muted: '#9db8d2' },
  { plain: '#c8702a', muted: '#e6c3a5' },
] as const

const escaped = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;')

/** Values are nanoseconds; a missing one has no bar. */
export function pairChart({ title, subtitle, legend, groups }: PairChart): string {
  const values = groups.flatMap(({ rows }) => rows.flatMap(({ first, second }) => [first ?? 0, second ?? 0]))
  const scale = ROOM / Math.max(...values, 1)
  const parts: string[] = [
    `<text x="16" y="26" font-size="16">${escaped(title)}</text>`,
    `<text x="16" y="46" fill="#666">${escaped(subtitle)}</text>`,
  ]
  legend.forEach((text, index) => {
    const x = LABEL_WIDTH + index * 140
    parts.push(
      `<rect x="${x}" y="58" width="12" height="${BAR}" fill="${colours[index]?.plain}"/>`,
      `<text x="${x + 18}" y="68">${escaped(text)}</text>`,
    )
  })
  let y = 92
  for (const group of groups) {
    parts.push(`<text x="16" y="${y + 4}" font-weight="bold">${escaped(group.title)}</text>`)
    y += 16
    for (const { label, muted, first, second } of group.rows) {
      parts.push(`<text x="${LABEL_WIDTH - 8}" y="${y + BAR + 4}" text-anchor="end">${escaped(label)}</text>`)
      for (const [index, value] of [first, second].entries()) {
        if (value === null) continue
        const top = y + index * BAR
        const width = Math.max(1, value * scale)
        const colour = colours[index]?.[muted ? 'muted' : 'plain']
        parts.push(
          `<rect x="${LABEL_WIDTH}" y="${top}" width="${width.toFixed(1)}" height="${BAR - 1}" fill="${colour}"/>`,
          `<text x="${(LABEL_WIDTH + width + 5).toFixed(1)}" y="${top + BAR - 2}" font-size="10">${value}</text>`,
        )
      }
      y += ROW
    }
    y += 18
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...parts,
    '</svg>\n',
  ].join('\n')
}
