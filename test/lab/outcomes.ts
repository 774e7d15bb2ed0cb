// SPDX-License-Identifier: Apache-2.0
/** What calls come to, as tables that can be read: who calls what, and who answers. */

import assert from 'node:assert/strict'
import { ClientError, type Connection } from '../../src/lab/client-process.ts'
import type { ClientAnswer, ClientTarget } from '../../src/lab/client-protocol.ts'
import type { Lab, Where } from '../../src/lab/lab.ts'

/** A call and the pod that must answer it, or the error's code: ECONNREFUSED, ETIMEDOUT for what is dropped. */
export interface Expected {
  readonly from: Where
  readonly target: ClientTarget
  /** For the message of a failure. */
  readonly what: string
  readonly want: string
  /** The client's address that the pod must see. */
  readonly seen?: string
}

/** Silence is waited for as long; a refusal or an answer in the lab takes a few milliseconds. */
const silenceMs = 250

/** The pod that answers a call, or the error's code. */
export async function outcomeOf(call: Promise<ClientAnswer>): Promise<string> {
  try {
    return (await call).pod
  } catch (error) {
    if (error instanceof ClientError) return error.code
    throw error
  }
}

/** {@link outcomeOf} a question over an open connection. */
export async function askPod(connection: Connection): Promise<string> {
  return await outcomeOf(connection.ask())
}

/** Makes all calls at a time and compares what they come to. */
export async function assertOutcomes(lab: Lab, rows: readonly Expected[]): Promise<void> {
  const got = await Promise.all(rows.map(async (row) => title(row, await attempt(lab, row))))
  assert.deepEqual(
    got,
    rows.map((row) => title(row, { came: row.want, saw: row.seen })),
  )
}

interface Attempt {
  readonly came: string
  readonly saw: string | undefined
}

async function attempt(lab: Lab, { from, target, want, seen }: Expected): Promise<Attempt> {
  const timeoutMs = want === 'ETIMEDOUT' ? silenceMs : undefined
  const limit = timeoutMs === undefined ? {} : { timeoutMs }
  try {
    const { pod, client } = await lab.request(from, { ...target, ...limit }, limit)
    return { came: pod, saw: seen === undefined ? undefined : client.address }
  } catch (error) {
    if (error instanceof ClientError) return { came: error.code, saw: undefined }
    throw error
  }
}

function title({ from, what, target }: Expected, { came, saw }: Attempt): string {
  const own = target.sourceAddress === undefined ? '' : ` (${target.sourceAddress})`
  const sight = saw === undefined ? '' : `, which saw ${saw}`
  return `${from}${own} → ${what}, ${target.address} port ${target.port} ${target.proto}: ${came}${sight}`
}
