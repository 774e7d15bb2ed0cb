// SPDX-License-Identifier: Apache-2.0
/** The demo server's UDP side: one datagram in, one out. */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type DemoAnswer, formatAnswer, type Peer } from './answer.ts'
import type { DemoIdentity } from './identity.ts'

/** What a client may ask for in a JSON datagram; any other datagram is answered in text. */
export interface UdpQuestion {
  /** The answer is padded with blanks to this many bytes. */
  readonly answerBytes?: number
  /** Not read: makes the question as long as a client wants it. */
  readonly padding?: string
}

/**
 * Answers datagrams on one address, which is therefore the source of the answer. Rejects with the socket's error when
 * the port is taken.
 */
export async function serveUdp(identity: DemoIdentity, address: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', ipv6Only: address.includes(':') })
  const server: Peer = { address, port }
  socket.on('message', (message, client) =>
    socket.send(answer(identity, server, message, client), client.port, client.address),
  )
  socket.bind(port, address)
  await once(socket, 'listening')
  return socket
}

function answer(identity: DemoIdentity, server: Peer, message: Buffer, client: RemoteInfo): string {
  const said: DemoAnswer = {
    pod: identity.name,
    node: identity.node,
    protocol: 'UDP',
    server,
    client: { address: client.address, port: client.port },
    received: message.length,
  }
  const question = parseQuestion(message)
  return question === undefined ? formatAnswer(said) : JSON.stringify(said).padEnd(question.answerBytes ?? 0)
}

function parseQuestion(message: Buffer): UdpQuestion | undefined {
  try {
    const question: unknown = JSON.parse(message.toString())
    return typeof question === 'object' && question !== null ? question : undefined
  } catch {
    return undefined
  }
}
