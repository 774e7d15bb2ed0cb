// SPDX-License-Identifier: Apache-2.0
/** A small HTTP server that keeps trying to get its port: the agent works on without it. */

import { createServer, type Server } from 'node:http'
import { backOffMs } from '../dataplane/back-off.ts'
import { type Answerer, sendAnswer } from './answer.ts'
import { type BindAddress, formatBindAddress } from './bind-address.ts'

/** A client that is slow to ask holds a connection, not the server. */
const REQUEST_TIMEOUT_MS = 10_000
const FIRST_RETRY_MS = 1_000

export interface EndpointServerOptions {
  /** For messages: `health checks`, `healthCheckNodePort of Service default/web`. */
  readonly name: string
  readonly address: BindAddress
  readonly answer: Answerer
  /** The port could not be bound; it is tried again. Called once an attempt. */
  readonly onError: (error: EndpointServerError) => void
  /** The port is bound. */
  readonly onListening?: (address: BindAddress) => void
}

/** The port is somebody else's, or the address is not one of this machine. */
export class EndpointServerError extends Error {
  override readonly name = 'EndpointServerError'
  readonly code = 'CANNOT_LISTEN'
  constructor(server: string, address: BindAddress, cause: unknown) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause)
    super(`Cannot serve ${server} on ${formatBindAddress(address)}: ${reason}`, { cause })
  }
}

export class EndpointServer {
  readonly #options: EndpointServerOptions
  #server: Server | undefined
  #retry: NodeJS.Timeout | undefined
  #failures = 0
  #closed = false

  /** Begins to listen. */
  constructor(options: EndpointServerOptions) {
    this.#options = options
    this.#listen()
  }

  /** Where it listens; undefined while the port cannot be had. */
  get listening(): BindAddress | undefined {
    const address = this.#server?.listening ? this.#server.address() : null
    return typeof address === 'object' && address !== null
      ? { host: this.#options.address.host, port: address.port }
      : undefined
  }

  /** Frees the port at once; answers that are under way are cut. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    this.#server?.close()
    this.#server?.closeAllConnections()
  }

  #listen(): void {
    const { address, answer, onListening } = this.#options
    const server = createServer((request, response) => {
      sendAnswer(answer, request, response).catch(() => response.destroy())
    })
    server.requestTimeout = REQUEST_TIMEOUT_MS
    server.headersTimeout = REQUEST_TIMEOUT_MS
    server.once('error', (error) => this.#failed(server, error))
    server.once('listening', () => {
      this.#failures = 0
      if (this.listening) onListening?.(this.listening)
    })
    this.#server = server
    // Without a host Node listens on every address of both families, on IPv4 alone where there is no IPv6.
    server.listen({ port: address.port, ...(address.host === undefined ? {} : { host: address.host }) })
  }

  #failed(server: Server, error: Error): void {
    server.close()
    if (this.#closed || server !== this.#server) return
    this.#failures++
    this.#options.onError(new EndpointServerError(this.#options.name, this.#options.address, error))
    this.#retry = setTimeout(() => this.#listen(), backOffMs(this.#failures, { firstMs: FIRST_RETRY_MS }))
    // Nobody waits for a health check alone.
    this.#retry.unref()
  }
}
