// SPDX-License-Identifier: Apache-2.0
/** Whether the agent's ports are free: who has them is most likely a kube-proxy that still runs. */

import { createServer } from 'node:net'
import { type BindAddress, formatBindAddress } from '../health/bind-address.ts'
import { type Finding, findingsOf } from './finding.ts'

export interface Listener {
  /** `health checks`. */
  readonly name: string
  readonly address: BindAddress
}

/** Binds each port for a moment. */
export async function checkListeners(listeners: readonly Listener[]): Promise<Finding[]> {
  return await Promise.all(listeners.map(checkListener))
}

async function checkListener({ name, address }: Listener): Promise<Finding> {
  const { ok, warning } = findingsOf(name)
  const text = formatBindAddress(address)
  const code = await refusal(address)
  if (code === undefined) return ok(`${text} is free`)
  const who = code === 'EADDRINUSE' ? 'somebody else has it, perhaps kube-proxy' : code
  return warning(
    `cannot serve on ${text}: ${who}`,
    'The agent works without and keeps trying; free the port, or choose another',
  )
}

function refusal({ host, port }: BindAddress): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => server.close(() => resolve(undefined)))
  })
}
