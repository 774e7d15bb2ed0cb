// SPDX-License-Identifier: Apache-2.0
/** The sockets of a DNS server: UDP and TCP, IPv4 and IPv6. */

import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { BindAddress } from '../health/bind-address.ts'
import type { Responder } from './responder.ts'
import { frameMessage, readMessages } from './tcp-messages.ts'

/** A client that keeps its connection open and asks nothing (RFC 7766, 6.2.3). */
const IDLE_MS = 10_000
const MAX_CONNECTIONS = 1_000

/** A socket could not be opened. */
export class DnsListenError extends Error {
  readonly code = 'DNS_LISTEN'
  constructor(where: string, cause: unknown) {
    super(`Listen on ${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = 'DnsListenError'
  }
}

/** Closes everything that is open. */
export interface DnsServer extends AsyncDisposable {
  /** The addresses that are listened on, both transports each. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[]
}

/** Opens every socket, or none and rejects with {@link DnsListenError}. */
export async function serveDns(responder: Responder, listen: readonly BindAddress[]): Promise<DnsServer> {
  await using opened = new AsyncDisposableStack()
  const addresses: { host: string; port: number }[] = []
  for (const { host, port } of listen) {
    for (const one of host === undefined ? ['0.0.0.0', '::'] : [host]) {
      // Two families were not asked for by name: a machine without IPv6 has one.
      if (await open(responder, one, port, opened, host === undefined && one === '::'))
        addresses.push({ host: one, port })
    }
  }
  const sockets = opened.move()
  return { addresses, [Symbol.asyncDispose]: () => sockets.disposeAsync() }
}

async function open(
  responder: Responder,
  host: string,
  port: number,
  stack: AsyncDisposableStack,
  optional: boolean,
): Promise<boolean> {
  for (const transport of ['udp', 'tcp'] as const) {
    try {
      stack.use(await (transport === 'udp' ? openUdp : openTcp)(responder, host, port))
    } catch (cause) {
      const { code = '' } = cause as NodeJS.ErrnoException
      if (optional && ['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(code)) return false
      throw new DnsListenError(`${host} port ${port}/${transport}`, cause)
    }
  }
  return true
}

async function openUdp(responder: Responder, host: string, port: number): Promise<AsyncDisposable> {
  const type = host.includes(':') ? 'udp6' : 'udp4'
  const socket = createSocket({ type, ipv6Only: type === 'udp6' })
  socket.bind(port, host)
  await once(socket, 'listening')
  // A datagram that cannot be sent is one that is lost: the client asks again.
  socket.on('error', () => {})
  socket.on('message', (message, client) => void answerDatagram(responder, socket, message, client))
  return { [Symbol.asyncDispose]: async () => void socket.close() }
}

async function answerDatagram(responder: Responder, socket: UdpSocket, message: Buffer, client: RemoteInfo) {
  const reply = await responder.respond(message, 'udp')
  // Port 0 is nobody's; and the socket may have been closed meanwhile.
  if (reply === undefined || client.port === 0) return
  try {
    socket.send(reply, client.port, client.address, () => {})
  } catch {
    // ERR_SOCKET_DGRAM_NOT_RUNNING.
  }
}

async function openTcp(responder: Responder, host: string, port: number): Promise<AsyncDisposable> {
  const connections = new Set<Socket>()
  const server: Server = createServer((socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
    void answerConnection(responder, socket)
  })
  server.maxConnections = MAX_CONNECTIONS
  server.listen({ host, port, ipv6Only: host.includes(':') })
  await once(server, 'listening')
  return {
    [Symbol.asyncDispose]: async () => {
      server.close()
      for (const socket of connections) socket.destroy()
    },
  }
}

async function answerConnection(responder: Responder, socket: Socket): Promise<void> {
  socket.setNoDelay(true)
  socket.setTimeout(IDLE_MS, () => socket.destroy())
  try {
    for await (const message of readMessages(socket)) {
      const reply = await responder.respond(message, 'tcp')
      if (reply !== undefined) socket.write(frameMessage(reply))
    }
    socket.end()
  } catch {
    // The client went away in the middle.
    socket.destroy()
  }
}
