// SPDX-License-Identifier: Apache-2.0
/** Cuts a verifier's log down to what says why it refused a program. */

/** The refusal stands at the end, behind the instructions that led to it. */
const SHOWN_LINES = 12

/** The verifier's closing statistics. */
const STATISTICS = /^(processed \d+ insns|verification time|stack depth)/

/** The last lines that mean something, and how many stand before them. */
export interface LogDigest {
  readonly lines: readonly string[]
  readonly leftOut: number
}

export function digestLog(log: string): LogDigest {
  const lines = log.split('\n').filter((line) => line.trim() !== '' && !STATISTICS.test(line))
  const leftOut = Math.max(0, lines.length - SHOWN_LINES)
  return { lines: lines.slice(leftOut), leftOut }
}

/** For an error message: the lines, indented, below a note of what was left out. */
export function formatDigest({ lines, leftOut }: LogDigest): string {
  const note = leftOut > 0 ? [`(${leftOut} lines left out)`] : []
  return [...note, ...lines].map((line) => `  ${line}`).join('\n')
}
