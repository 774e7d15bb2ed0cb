// SPDX-License-Identifier: Apache-2.0
/** A TCP proxy on loopback that behaves as networks do on bad days. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Of a slow connection. */
const SLOW_BYTES = 256
const SLOW_MS = 1

interface Connection {
  readonly client: Socket
  readonly server: Socket
  /** Half-open: what comes is taken in, and never goes on. */
  deaf: boolean
}

export class FaultyProxy {
  readonly #target: URL
  readonly #connections = new Set<Connection>()
  #server: Server | undefined
  #port = 0
  /** New connections carry a few bytes at a time. */
  slow = false
  /** New connections are refused by a reset. */
  closed = false

  /** @param target URL whose host and port are connected to. */
  constructor(target: string) {
    this.#target = new URL(target)
  }

  get url(): string {
    return `${this.#target.protocol}//127.0.0.1:${this.#port}`
  }

  get connections(): number {
    return this.#connections.size
  }

  async start(): Promise<void> {
    this.#server = createServer((client) => this.#connect(client))
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** Resets every connection. */
  cut(): void {
    for (const { client, server } of this.#connections) {
      client.resetAndDestroy()
      server.destroy()
    }
  }

  /** The connections that are open carry nothing any more, and stay. */
  stall(): void {
    for (const connection of this.#connections) connection.deaf = true
  }

  async stop(): Promise<void> {
    const closed = this.#server && once(this.#server, 'close')
    this.#server?.close()
    this.cut()
    await closed
  }

  #connect(client: Socket): void {
    if (this.closed) {
      client.resetAndDestroy()
      return
    }
    const server = connect(Number(this.#target.port), this.#target.hostname)
    const connection = { client, server, deaf: false }
    this.#connections.add(connection)
    this.#carry(connection, client, server)
    this.#carry(connection, server, client)
  }

  #carry(connection: Connection, from: Socket, to: Socket): void {
    const { slow } = this
    from.on('data', (bytes: Buffer) => {
      if (connection.deaf) return
      if (!slow) to.write(bytes)
      else void sendSlowly(bytes, from, to)
    })
    from.on('end', () => {
      if (!connection.deaf) to.end()
    })
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.#connections.delete(connection)
      if (!connection.deaf) to.destroy()
    })
  }
}

async function sendSlowly(bytes: Buffer, from: Socket, to: Socket): Promise<void> {
  from.pause()
  for (let at = 0; at < bytes.length; at += SLOW_BYTES) {
    to.write(bytes.subarray(at, at + SLOW_BYTES))
    await new Promise((resolve) => setTimeout(resolve, SLOW_MS))
  }
  from.resume()
}
