// SPDX-License-Identifier: Apache-2.0
/** What the stories expect of a command's output. */

import assert from 'node:assert/strict'

/** Every one of the patterns is in the output. */
export function shows(...patterns: readonly (string | RegExp)[]): (output: string) => void {
  return (output) => {
    for (const pattern of patterns) {
      if (typeof pattern === 'string') assert.ok(output.includes(pattern), `"${pattern}" is missing`)
      else assert.match(output, pattern)
    }
  }
}

/** The demo servers that answered are these, each at least once, and no other. */
export function answeredBy(...pods: readonly string[]): (output: string) => void {
  return (output) => assert.deepEqual(distinct(output, 'Hostname'), pods)
}

/** As {@link answeredBy}, with the ports of the servers: `8080/TCP`. */
export function answeredAt(...ports: readonly string[]): (output: string) => void {
  return (output) => assert.deepEqual(distinct(output, 'Port'), ports)
}

/** The output is this, but for white space at its end. */
export function says(text: string): (output: string) => void {
  return (output) => assert.equal(output.trimEnd(), text)
}

function distinct(output: string, field: string): string[] {
  const values = [...output.matchAll(new RegExp(`\\b${field}: (\\S+)`, 'g'))].map(([, value = '']) => value)
  return [...new Set(values)].sort()
}
