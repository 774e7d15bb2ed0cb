// SPDX-License-Identifier: Apache-2.0
/** Takes out of a transcript what is local by nature: two runs of the same program differ in nothing else. */

const rules: readonly (readonly [RegExp, string])[] = [
  // How often a command's loop met each line: `uniq -c`.
  [/^ +\d+ (?=Hostname|Port)/gm, 'N '],
  // Who answers a single question is the dataplane's choice.
  [/^Hostname: ([a-z-]+?)-\d+\nNode: \S+\nIP: \S+$/gm, 'Hostname: $1\nNode: N\nIP: N'],
  // The kernel's choice.
  [/^(RemoteAddr: .*):\d+$/gm, '$1:N'],
  [/\d+ calls, none failed \([^)]*\)/g, 'N calls, none failed'],
  [/\d+ calls, none failed$/gm, 'N calls, none failed'],
  // A backend's number, and the port that masquerading chooses.
  [/^ *\d+ {2}(?=10\.244\.)/gm, 'N  '],
  [/^(leaves as +\S+):\d+ →/gm, '$1:N →'],
  // When a client was last seen.
  [/^(default\/.*\S) +\d+s$/gm, '$1 N'],
  [/\bafter \d+ (ms|milliseconds)\b/g, 'after N ms'],
  [/\bwithin \d+ ms\b/g, 'within N ms'],
]

export function normalizeTranscript(text: string): string {
  return rules.reduce((current, [pattern, replacement]) => current.replace(pattern, replacement), text)
}
