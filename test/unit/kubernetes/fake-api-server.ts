// SPDX-License-Identifier: Apache-2.0
/** A real HTTP server on loopback that speaks LIST and WATCH as an API server does, and fails as a network does. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { gzipSync } from 'node:zlib'

export const PATHS = {
  Service: '/api/v1/services',
  EndpointSlice: '/apis/discovery.k8s.io/v1/endpointslices',
  Node: '/api/v1/nodes',
  ServiceCIDR: '/apis/networking.k8s.io/v1/servicecidrs',
} as const

export type FakeKind = keyof typeof PATHS

export interface RawObject {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown }
  readonly [field: string]: unknown
}

interface Write {
  readonly kind: FakeKind
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly version: number
  readonly object: RawObject
}

interface Watcher {
  readonly kind: FakeKind
  readonly response: ServerResponse
  /** Takes everything in and sends nothing: a peer that is gone without a word. */
  mute: boolean
}

export interface SeenRequest {
  readonly kind: FakeKind
  readonly watch: boolean
  readonly query: URLSearchParams
  readonly authorization: string | undefined
}

/** Answers a request itself and returns true, or leaves it to the server. */
type Interceptor = (request: SeenRequest, response: ServerResponse) => boolean

export class FakeApiServer {
  readonly objects = new Map<string, { readonly kind: FakeKind; readonly object: RawObject }>()
  readonly requests: SeenRequest[] = []
  readonly watchers = new Set<Watcher>()
  /** Connections that were ever made. */
  connections = 0
  intercept: Interceptor = () => false
  /** LIST answers are compressed, as the API server does with large ones. */
  gzip = false
  /** Bytes a write, with a turn of the event loop between them; 0: as many as there are. */
  chunkBytes = 0
  #version = 100
  /** Writes at or before this one are forgotten. */
  #compacted = 0
  #history: Write[] = []
  #server: Server | undefined
  readonly #sockets = new Set<Socket>()
  #port = 0

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get version(): number {
    return this.#version
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => this.#answer(request, response))
    server.on('connection', (socket) => {
      this.connections++
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    server.listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
  }

  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (!server) return
    const closed = once(server, 'close')
    server.close()
    this.cut()
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  set(kind: FakeKind, object: RawObject): void {
    const key = `${kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}`
    const before = this.objects.get(key)?.object
    const version = ++this.#version
    const uid = before?.metadata.uid ?? `uid-${version}`
    const stored = { ...object, metadata: { uid, ...object.metadata, resourceVersion: String(version) } }
    this.objects.set(key, { kind, object: stored })
    this.#write({ kind, type: before ? 'MODIFIED' : 'ADDED', version, object: stored })
  }

  delete(kind: FakeKind, name: string): void {
    const key = `${kind} ${name.includes('/') ? name : `/${name}`}`
    const object = this.objects.get(key)?.object
    if (!object) throw new Error(`${key} does not exist`)
    this.objects.delete(key)
    const version = ++this.#version
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } }
    this.#write({ kind, type: 'DELETED', version, object: last })
  }

  /** A bookmark on every watch of the kind. */
  bookmark(kind: FakeKind, version = this.#version): void {
    this.send(kind, { type: 'BOOKMARK', object: { metadata: { resourceVersion: String(version) } } })
  }

  /** Any event, as it is, on every watch of the kind. */
  send(kind: FakeKind, event: unknown): void {
    this.sendText(kind, `${JSON.stringify(event)}\n`)
  }

  sendText(kind: FakeKind, text: string): void {
    for (const watcher of this.watchers)
      if (watcher.kind === kind && !watcher.mute) this.#send(watcher.response, Buffer.from(text))
  }

  /** Forgets all writes so far: a WATCH from before is answered with 410, as are the tokens of lists. */
  compact(): void {
    this.#compacted = this.#version
    this.#history = []
  }

  /** etcd set back to a backup: an older version, nothing that came later. */
  setBack(version: number): void {
    this.#version = version
    this.#history = this.#history.filter((write) => write.version <= version)
  }

  /** Breaks every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
    this.watchers.clear()
  }

  /** The watches that are open send nothing any more; new ones do. */
  mute(): void {
    for (const watcher of this.watchers) watcher.mute = true
  }

  /** Ends every watch as a server does whose time is up. */
  endWatches(): void {
    for (const { response } of this.watchers) response.end()
    this.watchers.clear()
  }

  #write(write: Write): void {
    this.#history.push(write)
    this.send(write.kind, { type: write.type, object: write.object })
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://fake')
    const kind = (Object.keys(PATHS) as FakeKind[]).find((candidate) => PATHS[candidate] === url.pathname)
    if (!kind) {
      refuse(response, 404, 'NotFound')
      return
    }
    const watch = url.searchParams.get('watch') === 'true'
    const seen = { kind, watch, query: url.searchParams, authorization: request.headers.authorization }
    this.requests.push(seen)
    if (this.intercept(seen, response)) return
    if (watch) this.#watch(kind, Number(url.searchParams.get('resourceVersion')), response)
    else this.#list(kind, url.searchParams, response)
  }

  #watch(kind: FakeKind, from: number, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    if (from < this.#compacted) {
      const object = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' }
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`)
      return
    }
    const watcher: Watcher = { kind, response, mute: false }
    this.watchers.add(watcher)
    response.on('close', () => this.watchers.delete(watcher))
    for (const write of this.#history) {
      if (write.kind !== kind || write.version <= from) continue
      this.#send(response, Buffer.from(`${JSON.stringify({ type: write.type, object: write.object })}\n`))
    }
  }

  #list(kind: FakeKind, query: URLSearchParams, response: ServerResponse): void {
    const all = [...this.objects.values()].filter((entry) => entry.kind === kind).map(({ object }) => object)
    const limit = Number(query.get('limit') ?? 0)
    const [version = this.#version, offset = 0] = (query.get('continue') ?? '').split('/').filter(Boolean).map(Number)
    if (version < this.#compacted) {
      refuse(response, 410, 'Expired')
      return
    }
    const items = limit > 0 ? all.slice(offset, offset + limit) : all
    const more = offset + items.length < all.length
    const metadata = {
      resourceVersion: String(version),
      ...(more ? { continue: `${version}/${offset + items.length}` } : {}),
    }
    const body = Buffer.from(JSON.stringify({ kind: `${kind}List`, metadata, items }))
    response.writeHead(200, {
      'content-type': 'application/json',
      ...(this.gzip ? { 'content-encoding': 'gzip' } : {}),
    })
    this.#send(response, this.gzip ? gzipSync(body) : body, () => response.end())
  }

  #send(response: ServerResponse, bytes: Buffer, then: () => void = () => undefined): void {
    const length = this.chunkBytes || bytes.length
    const rest = bytes.subarray(length)
    response.write(bytes.subarray(0, length))
    if (rest.length === 0) then()
    else setImmediate(() => this.#send(response, rest, then))
  }
}

export function refuse(
  response: ServerResponse,
  code: number,
  reason: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify({ kind: 'Status', code, reason, message: `${reason}, says the test` }))
}
