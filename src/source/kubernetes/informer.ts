// SPDX-License-Identifier: Apache-2.0
/** Follows the objects of one kind: LIST, then WATCH from there, and again whenever the thread is lost. */
import type { ModelKind } from '../../model/normalize.ts'
import { ApiConnectionError, ApiError, ApiSilenceError } from './api-error.ts'
import type { ApiServer } from './api-server.ts'
import { list } from './list.ts'
import { ObjectStore } from './object-store.ts'
import { isOlder } from './resource-version.ts'
import type { Resource } from './resources.ts'
import { type Clock, retryDelayMs, type Timing } from './timing.ts'
import { type WatchEvent, watchEvents } from './watch-events.ts'

/**
 * After so many WATCHes in a row that stayed silent the state is listed anew. One is a connection that died; the next may
 * be a server that was set back to a backup of etcd, and says nothing until it is as far as we are.
 */
const MAX_SILENT_WATCHES = 2

export interface InformerStatus {
  readonly kind: ModelKind
  /** 'absent': the server has no such API, or does not let us see it, and that is tolerated. */
  readonly phase: 'listing' | 'watching' | 'waiting' | 'absent'
  readonly objects: number
  /** Failed tries since the last that held. */
  readonly failures: number
  /** What failed last, while waiting or absent. */
  readonly error?: Error
}

export interface InformerOptions {
  readonly api: ApiServer
  readonly clock: Clock
  readonly timing: Timing
  readonly signal: AbortSignal
  /** Called when objects or errors have changed, and once when the first LIST is complete. */
  readonly onChange: () => void
  readonly onStatus: (status: InformerStatus) => void
}

export class Informer<K extends ModelKind> {
  readonly store: ObjectStore<K>
  readonly #resource: Resource<K>
  readonly #options: InformerOptions
  #synced = false
  /** Where the next WATCH begins; undefined: a LIST is due. */
  #resourceVersion: string | undefined
  #failures = 0
  #silentWatches = 0
  /** Of the selectors, the one that the server takes. */
  #selector = 0

  constructor(resource: Resource<K>, options: InformerOptions) {
    this.#resource = resource
    this.#options = options
    this.store = new ObjectStore(resource.kind)
  }

  /** Whether the objects have been complete at some time. */
  get synced(): boolean {
    return this.#synced
  }

  /** Resolves when the signal aborts; every other fault is tried again. */
  async run(): Promise<void> {
    const { signal } = this.#options
    while (!signal.aborted) {
      try {
        this.#resourceVersion ??= await this.#list()
        await this.#watch(this.#resourceVersion)
      } catch (error) {
        if (signal.aborted) return
        await this.#recover(error instanceof Error ? error : new Error(String(error), { cause: error }))
      }
    }
  }

  async #list(): Promise<string> {
    const { api, timing, signal } = this.#options
    this.#say('listing')
    let replacement = this.store.replacement()
    const resourceVersion = await list(api, { ...this.#target(), timing, signal }, () => {
      replacement = this.store.replacement()
      return replacement.add
    })
    this.#silentWatches = 0
    if (replacement.commit() || !this.#synced) {
      this.#synced = true
      this.#options.onChange()
    }
    return resourceVersion
  }

  async #watch(from: string): Promise<void> {
    const { api, timing, clock, signal } = this.#options
    const startMs = clock.nowMs()
    let seen = false
    const onHead = () => this.#say('watching')
    const request = { ...this.#target(), resourceVersion: from, timing, clock, onHead, signal }
    for await (const events of watchEvents(api, request)) {
      // One answer to one chunk, so that what comes together is one change.
      const changed = events.map((event) => this.#take(event))
      if (changed.includes(true)) this.#options.onChange()
      seen = true
      this.#silentWatches = 0
      if (this.#failures > 0) {
        this.#failures = 0
        this.#say('watching')
      }
      if (this.#resourceVersion === undefined) return
    }
    if (!seen && clock.nowMs() - startMs < timing.shortWatchMs)
      throw new ApiConnectionError(`WATCH ${this.#resource.path}`, 'ended as soon as it had begun')
    this.#failures = 0
  }

  /** Says whether anything has changed. What is not newer than what is known came late or twice. */
  #take({ type, object, resourceVersion }: WatchEvent): boolean {
    const known = this.#resourceVersion
    if (known === undefined) return false
    if (type === 'BOOKMARK' && isOlder(resourceVersion, known)) {
      // The server has gone back in time.
      this.#resourceVersion = undefined
      return false
    }
    if (resourceVersion === known || isOlder(resourceVersion, known)) return false
    this.#resourceVersion = resourceVersion
    if (type === 'BOOKMARK') return false
    return type === 'DELETED' ? this.store.delete(object) : this.store.set(object)
  }

  async #recover(error: Error): Promise<void> {
    const { clock, timing, signal } = this.#options
    const status = error instanceof ApiError ? error.status : undefined
    if (status === 400 && this.#resourceVersion === undefined && this.#selector + 1 < this.#resource.selectors.length) {
      this.#selector++
      return
    }
    this.#failures++
    if (error instanceof ApiSilenceError) this.#silentWatches++
    if (!isPassing(error) || this.#silentWatches >= MAX_SILENT_WATCHES) this.#resourceVersion = undefined
    const absent = this.#resource.optional && this.store.size === 0 && (status === 404 || status === 403)
    if (absent && !this.#synced) {
      this.#synced = true
      this.#options.onChange()
    }
    const askedMs = error instanceof ApiError ? error.retryAfterMs : 0
    const delayMs =
      absent && status === 404
        ? timing.absentRetryMs * (1 + clock.random())
        : Math.max(askedMs, retryDelayMs(this.#failures, timing, clock))
    this.#say(absent ? 'absent' : 'waiting', error)
    await clock.delay(delayMs, signal)
  }

  #target(): { readonly path: string; readonly selector: Readonly<Record<string, string>> } {
    const { path, selectors } = this.#resource
    return { path, selector: selectors[this.#selector] ?? {} }
  }

  #say(phase: InformerStatus['phase'], error?: Error): void {
    const { kind } = this.#resource
    const status = { kind, phase, objects: this.store.size, failures: this.#failures }
    this.#options.onStatus(error ? { ...status, error } : status)
  }
}

/** Whether the same WATCH may go on after it: the connection, an overloaded server, credentials that are being replaced. */
function isPassing(error: Error): boolean {
  if (error instanceof ApiError) return [401, 403, 429].includes(error.status) || error.status >= 500
  return error instanceof ApiConnectionError
}
