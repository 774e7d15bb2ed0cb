// SPDX-License-Identifier: Apache-2.0
/** Rows of expected answers, each asked about from several source ports: every one of them has to fit. */

import assert from 'node:assert/strict'
import type { TraceAnswer } from '../../src/trace/trace-answer.ts'
import { endpoint, type PacketLine, type PodName, pods, traceAll } from './trace.world.ts'

/** When the client's address is replaced, by where the backend that was chosen is. */
export type Masquerade = 'never' | 'always' | 'remote' | 'self'

export interface Row {
  readonly name: string
  /** Without the source port. */
  readonly packet: PacketLine
  readonly verdict: TraceAnswer['verdict']
  /** `namespace/name:port`; undefined: null. */
  readonly service?: string
  readonly frontend?: TraceAnswer['frontend']
  /** Pods that the client may get, and their port. */
  readonly candidates?: readonly PodName[]
  readonly port?: number
  readonly masquerade?: Masquerade
  /** All source ports of the client get one backend. */
  readonly sticky?: boolean
  /** What the reason begins with. */
  readonly code?: string
}

/** The odds that they all get one of two backends are 1 : 2^15; the seed is fixed, so a row never flaps. */
const SOURCE_PORTS = Array.from({ length: 16 }, (_, index) => 40_000 + 97 * index)

/** Asks all rows in one run, and says which rows do not fit. */
export async function expectRows(words: readonly string[], rows: readonly Row[]): Promise<void> {
  const asked = rows.flatMap(({ packet }) =>
    SOURCE_PORTS.map((port): PacketLine => ({ ...packet, src: endpoint(packet.src, port) })),
  )
  const answers = await traceAll(words, asked)
  const faults: string[] = []
  for (const [index, row] of rows.entries()) {
    const own = answers.slice(index * SOURCE_PORTS.length, (index + 1) * SOURCE_PORTS.length)
    try {
      expectRow(row, own)
    } catch (error) {
      faults.push(`${row.name}: ${JSON.stringify(row.packet)}: ${(error as Error).message}`)
    }
  }
  assert.equal(faults.length, 0, `${faults.length} of ${rows.length} rows\n${faults.slice(0, 10).join('\n')}`)
}

function expectRow(row: Row, answers: readonly TraceAnswer[]): void {
  const family = row.packet.dst.startsWith('[') ? 'v6' : 'v4'
  const names = new Map((row.candidates ?? []).map((pod) => [endpoint(pods[pod][family], row.port ?? 8080), pod]))
  const candidates = [...names.keys()].sort()
  for (const { selected, masquerade, reason, ...answer } of answers) {
    assert.deepEqual(answer, {
      ...{ verdict: row.verdict, service: row.service ?? null, frontend: row.frontend ?? null },
      candidates,
    })
    assert.match(reason, new RegExp(`^${row.code ?? '[A-Z_]+'}: \\S`))
    const pod = selected === null ? undefined : names.get(selected)
    assert.equal(pod === undefined, candidates.length === 0, `selected ${selected}`)
    assert.equal(masquerade, pod !== undefined && isMasqueraded(row, pod, family), `masquerade with ${selected}`)
  }
  const selected = new Set(answers.flatMap((answer) => answer.selected ?? []))
  if (candidates.length > 0) assert.equal(selected.size > 1, candidates.length > 1 && !row.sticky, 'several are chosen')
}

function isMasqueraded({ masquerade = 'never', packet }: Row, pod: PodName, family: 'v4' | 'v6'): boolean {
  switch (masquerade) {
    case 'never':
      return false
    case 'always':
      return true
    case 'remote':
      return pods[pod].node !== 'node-a'
    case 'self':
      return pods[pod][family] === packet.src
  }
}
