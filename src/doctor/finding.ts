// SPDX-License-Identifier: Apache-2.0
/** What the doctor says of a node. */

/** `ok` and `note` need nothing; with a `warning` maglane works, but not for everything; an `error` keeps it from working. */
export const FINDING_LEVELS = ['ok', 'note', 'warning', 'error'] as const
export type FindingLevel = (typeof FINDING_LEVELS)[number]

export interface Finding {
  /** What was looked at: `kernel`, `ports`, `device eth0`. */
  readonly check: string
  readonly level: FindingLevel
  readonly message: string
  /** What to do about it; of warnings and errors always. */
  readonly remedy?: string
}

/** Findings of one check, made short. */
export function findingsOf(check: string) {
  return {
    ok: (message: string): Finding => ({ check, level: 'ok', message }),
    note: (message: string): Finding => ({ check, level: 'note', message }),
    warning: (message: string, remedy: string): Finding => ({ check, level: 'warning', message, remedy }),
    error: (message: string, remedy: string): Finding => ({ check, level: 'error', message, remedy }),
  }
}
