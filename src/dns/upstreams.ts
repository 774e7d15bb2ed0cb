// SPDX-License-Identifier: Apache-2.0
/** Other DNS servers, which are asked what a zone does not know. */

import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { DecodedPacket } from 'dns-packet'
import { frameMessage, readMessages } from './tcp-messages.ts'
import { decodeOrUndefined, questionBytes, type Transport, writeQuery } from './wire.ts'

export interface Upstream {
  /** Canonical address. */
  readonly host: string
  readonly port: number
}

/** No upstream answered. */
export class UpstreamError extends Error {
  readonly code = 'DNS_UPSTREAM'
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'UpstreamError'
  }
}

/** Each upstream's share of the five seconds that resolvers wait (resolv.conf(5)). */
const TIMEOUT_MS = 2_000
/** Questions at a time: a dead upstream must not pile up sockets. */
const MAX_PENDING = 1_000

export class Upstreams {
  readonly #servers: readonly Upstream[]
  readonly #timeoutMs: number
  #pending = 0

  /** @param servers In the order in which they are tried. */
  constructor(servers: readonly Upstream[], timeoutMs = TIMEOUT_MS) {
    this.#servers = servers
    this.#timeoutMs = timeoutMs
  }

  /** None: every question ends here. */
  get empty(): boolean {
    return this.#servers.length === 0
  }

  /** Hands a query on as it is, and the answer back. Rejects with {@link UpstreamError}. */
  async exchange(query: Buffer, transport: Transport): Promise<Buffer> {
    if (this.#pending >= MAX_PENDING) throw new UpstreamError(`${MAX_PENDING} questions wait for upstreams already`)
    this.#pending++
    try {
      let cause: unknown
      for (const server of this.#servers) {
        try {
          const signal = AbortSignal.timeout(this.#timeoutMs)
          return await (transport === 'udp' ? askUdp : askTcp)(server, query, signal)
        } catch (error) {
          cause = error
        }
      }
      throw new UpstreamError('No upstream answered', cause)
    } finally {
      this.#pending--
    }
  }

  /** Asks for a name, over TCP where the answer is too long for UDP. Rejects with {@link UpstreamError}. */
  async lookUp(name: string, type: string): Promise<DecodedPacket> {
    const query = writeQuery(name, type)
    for (const transport of ['udp', 'tcp'] as const) {
      const packet = decodeOrUndefined(await this.exchange(query, transport))
      if (packet !== undefined && !packet.flag_tc) return packet
    }
    throw new UpstreamError(`The upstream's answer about ${name} cannot be read`)
  }
}

async function askUdp(server: Upstream, query: Buffer, signal: AbortSignal): Promise<Buffer> {
  const socket = createSocket(server.host.includes(':') ? 'udp6' : 'udp4')
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  // A port and an id of its own for each question: who wants to forge the answer must guess both (RFC 5452).
  const asked = withId(query, randomInt(0x10000))
  const fail = () => reject(signal.reason)
  signal.addEventListener('abort', fail, { once: true })
  try {
    socket.on('error', reject)
    socket.on('message', (message) => isAnswer(message, asked) && resolve(withId(message, query.readUInt16BE(0))))
    socket.connect(server.port, server.host)
    await once(socket, 'connect', { signal })
    socket.send(asked, (error) => error && reject(error))
    return await promise
  } finally {
    signal.removeEventListener('abort', fail)
    socket.close()
  }
}

async function askTcp(server: Upstream, query: Buffer, signal: AbortSignal): Promise<Buffer> {
  const socket: Socket = connect({ host: server.host, port: server.port, signal })
  try {
    await once(socket, 'connect')
    socket.write(frameMessage(query))
    for await (const message of readMessages(socket)) if (isAnswer(message, query)) return message
    throw new UpstreamError(`${server.host} closed the connection`)
  } finally {
    socket.destroy()
  }
}

function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message)
  copy.writeUInt16BE(id, 0)
  return copy
}

/** The same id, the same question in any case, and a response. */
function isAnswer(message: Buffer, query: Buffer): boolean {
  if (message.length < 12 || message.readUInt16BE(0) !== query.readUInt16BE(0) || message[2]! < 0x80) return false
  const [answered, asked] = [questionBytes(message), questionBytes(query)]
  return answered?.toString('latin1').toLowerCase() === asked?.toString('latin1').toLowerCase()
}
