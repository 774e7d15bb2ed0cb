// SPDX-License-Identifier: Apache-2.0
/** Streaming GETs to the API server: what a LIST and a WATCH are made of. */
import { type IncomingMessage, Agent as PlainAgent, request as plainRequest, STATUS_CODES } from 'node:http'
import { Agent, type RequestOptions, request } from 'node:https'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { ApiConnectionError, ApiError, ApiSilenceError, readStatus } from './api-error.ts'
import type { KubeAccess } from './kube-access.ts'
import type { Timing } from './timing.ts'

/** Of an answer that refuses, as much as is read. */
const MAX_STATUS_BYTES = 64 * 1024

export interface GetOptions {
  readonly query: Readonly<Record<string, string>>
  /** The body is broken off after so long without a byte. */
  readonly idleMs: number
  /** Called when the server has accepted. */
  readonly onHead?: () => void
  readonly signal: AbortSignal
}

export class ApiServer {
  readonly #access: KubeAccess
  readonly #timing: Timing
  /** Keeps connections apart by what they were authenticated with. */
  readonly #agent: Agent

  constructor(access: KubeAccess, timing: Timing) {
    this.#access = access
    this.#timing = timing
    this.#agent = access.server.startsWith('http:') ? plainAgent() : new Agent({ keepAlive: true })
  }

  /**
   * The body of an answer with status 200, as it comes.
   *
   * Throws, at once or while the body is read, {@link ApiError} when the server refuses and {@link ApiConnectionError}
   * when the connection does not hold. To leave the loop over the body closes the connection.
   */
  async *get(path: string, { query, idleMs, onHead, signal }: GetOptions): AsyncGenerator<Buffer, void> {
    const context = `GET ${path}`
    const abort = new AbortController()
    const stop = AbortSignal.any([signal, abort.signal])
    const timer = setTimeout(() => abort.abort(new Error('no answer in time')), this.#timing.headMs)
    try {
      const url = new URL(`${this.#access.server}${path}?${new URLSearchParams(query)}`)
      const response = await send(url, await this.#requestOptions(), this.#timing.keepAliveMs, stop)
      if (response.statusCode !== 200) throw await this.#refusal(context, response)
      clearTimeout(timer)
      onHead?.()
      const idle = setTimeout(() => abort.abort(new ApiSilenceError(context, idleMs)), idleMs)
      try {
        for await (const chunk of decoded(response)) {
          idle.refresh()
          yield chunk
        }
      } finally {
        clearTimeout(idle)
      }
    } catch (error) {
      if (signal.aborted || error instanceof ApiError) throw error
      const reason: unknown = abort.signal.reason ?? error
      throw reason instanceof ApiSilenceError ? reason : new ApiConnectionError(context, reason)
    } finally {
      clearTimeout(timer)
      abort.abort()
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  async #requestOptions(): Promise<RequestOptions> {
    const credentials = await this.#access.credentials()
    return {
      ...credentials.tls,
      ...(credentials.auth === undefined ? {} : { auth: credentials.auth }),
      agent: credentials.proxy ?? this.#agent,
      headers: {
        ...credentials.headers,
        accept: 'application/json',
        'accept-encoding': 'gzip',
        'user-agent': 'maglane',
      },
    }
  }

  async #refusal(context: string, response: IncomingMessage): Promise<ApiError> {
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of decoded(response)) {
      chunks.push(chunk)
      length += chunk.length
      if (length > MAX_STATUS_BYTES) break
    }
    const code = response.statusCode ?? 0
    if (code === 401) this.#access.renew()
    const text = Buffer.concat(chunks).toString()
    const status = { message: STATUS_CODES[code] ?? '', ...parseStatus(text), code }
    const retryAfterMs = Number(response.headers['retry-after'] ?? 0) * 1000
    return new ApiError(context, status, Number.isFinite(retryAfterMs) ? retryAfterMs : 0)
  }
}

function send(url: URL, options: RequestOptions, keepAliveMs: number, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = (url.protocol === 'http:' ? plainRequest : request)(url, { ...options, signal }, resolve)
    sent.on('socket', (socket) => socket.setKeepAlive(true, keepAliveMs))
    sent.on('error', reject)
    sent.end()
  })
}

/** To the types an https Agent has more than it needs. */
function plainAgent(): Agent {
  return new PlainAgent({ keepAlive: true }) as Agent
}

function decoded(response: IncomingMessage): Readable {
  if (response.headers['content-encoding'] !== 'gzip') return response
  // What breaks the connection breaks the reader: pipeline hands the error on.
  return pipeline(response, createGunzip(), () => undefined)
}

function parseStatus(text: string): ReturnType<typeof readStatus> {
  try {
    return readStatus(JSON.parse(text))
  } catch {
    return {}
  }
}
