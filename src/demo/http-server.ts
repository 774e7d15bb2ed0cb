// SPDX-License-Identifier: Apache-2.0
/** The demo server's TCP side: HTTP/1.1 with connections kept for as long as the client likes. */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type DemoAnswer, formatAnswer } from './answer.ts'
import type { DemoIdentity } from './identity.ts'

/** Longest answer: 64 MiB, so that a typing slip does not fill a small machine. */
const answerLimit = 64 * 1024 * 1024

/**
 * Serves `/` (text) and `/api` (JSON) on one address; `?bytes=N` pads the answer with blanks to N bytes. Rejects with
 * the socket's error when the port is taken.
 */
export async function serveHttp(identity: DemoIdentity, address: string, port: number): Promise<Server> {
  const server = createServer((request, response) => void answer(identity, request, response))
  // A kept connection is what shows that a flow outlives its Service's changes: the server never ends one first.
  server.keepAliveTimeout = 0
  server.requestTimeout = 0
  server.headersTimeout = 0
  server.listen({ host: address, port, ipv6Only: address.includes(':') })
  await once(server, 'listening')
  return server
}

async function answer(identity: DemoIdentity, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const received = await countBytes(request)
    const said: DemoAnswer = {
      pod: identity.name,
      node: identity.node,
      protocol: 'TCP',
      server: { address: request.socket.localAddress ?? '', port: request.socket.localPort ?? 0 },
      client: { address: request.socket.remoteAddress ?? '', port: request.socket.remotePort ?? 0 },
      received,
    }
    const url = new URL(request.url ?? '/', 'http://pod')
    const bytes = Math.min(Number(url.searchParams.get('bytes') ?? '0'), answerLimit)
    const json = url.pathname === '/api'
    response.setHeader('content-type', json ? 'application/json' : 'text/plain')
    response.end((json ? `${JSON.stringify(said)}\n` : formatAnswer(said)).padEnd(bytes))
  } catch (error) {
    // The client went away in the middle of its request: nobody is left to tell.
    response.destroy(error instanceof Error ? error : undefined)
  }
}

async function countBytes(request: IncomingMessage): Promise<number> {
  let bytes = 0
  for await (const chunk of request) bytes += (chunk as Buffer).length
  return bytes
}
