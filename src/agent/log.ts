// SPDX-License-Identifier: Apache-2.0
/** What an agent says while it runs: one line an event, `time level message key=value …` (logfmt). */

export type LogLevel = 'info' | 'warn' | 'error'
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>
export type Log = (level: LogLevel, message: string, fields?: LogFields) => void

function quoted(value: string | number | boolean): string {
  const text = String(value)
  return /^[\w./:@%+-]+$/.test(text) ? text : JSON.stringify(text)
}

/** A log that writes lines. */
export function lineLog(write: (line: string) => void): Log {
  return (level, message, fields = {}) => {
    const parts = Object.entries(fields).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}=${quoted(value)}`],
    )
    const head = `time=${new Date().toISOString()} level=${level} msg=${JSON.stringify(message)}`
    write(`${[head, ...parts].join(' ')}\n`)
  }
}
