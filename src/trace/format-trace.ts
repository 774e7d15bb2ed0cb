// SPDX-License-Identifier: Apache-2.0
/** A trace for people. */

import { formatEndpoint } from '../abi/address.ts'
import { hookNames } from '../abi/generated.ts'
import type { Trace } from './trace-answer.ts'
import { type ClientPlace, formatPacket } from './trace-packet.ts'

const places: Readonly<Record<ClientPlace, string>> = {
  pod: 'a pod of this node',
  host: 'a process of this node',
  external: 'outside this node',
}

/** Candidates that are shown; a Service may have thousands. */
const SHOWN_CANDIDATES = 12

/** Some lines, ending with a newline. */
export function formatTrace({ facts, answer }: Trace): string {
  const { packet, from, event } = facts
  const hook = (hookNames[event.hook] ?? '').replace('HOOK_', '').toLowerCase()
  const rows: [string, string][] = [
    ['packet', formatPacket(packet)],
    ['from', `${places[from]} (decided in ${hook})`],
    ['verdict', answer.verdict],
  ]
  if (answer.service !== null) rows.push(['service', `${answer.service}, by its ${answer.frontend}`])
  if (answer.selected !== null) {
    rows.push(
      ['candidates', candidatesOf(answer.candidates)],
      ['backend', `${answer.selected} (${facts.local ? 'on this node' : 'on another node'})`],
      [
        'leaves as',
        `${formatEndpoint(event.newSrc, event.newSport)} → ${formatEndpoint(event.newDst, event.newDport)}`,
      ],
      ['masquerade', answer.masquerade ? 'yes' : 'no'],
    )
  }
  rows.push(['why', answer.reason])
  return rows.map(([name, value]) => `${name.padEnd(12)}${value}\n`).join('')
}

function candidatesOf(candidates: readonly string[]): string {
  const more = candidates.length - SHOWN_CANDIDATES
  return `${candidates.slice(0, SHOWN_CANDIDATES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
