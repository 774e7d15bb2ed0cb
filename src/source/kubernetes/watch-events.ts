// SPDX-License-Identifier: Apache-2.0
/** One WATCH: its events, checked, until the server ends it. */
import { ApiError, ApiProtocolError, readStatus } from './api-error.ts'
import type { ApiServer } from './api-server.ts'
import { LineParser } from './line-parser.ts'
import type { Clock, Timing } from './timing.ts'

export interface WatchRequest {
  readonly path: string
  readonly selector: Readonly<Record<string, string>>
  /** Events after this one. */
  readonly resourceVersion: string
  readonly timing: Timing
  readonly clock: Clock
  /** Called when the server has accepted. */
  readonly onHead: () => void
  readonly signal: AbortSignal
}

/** A BOOKMARK's object has nothing but a resource version. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: unknown
  readonly resourceVersion: string
}

/**
 * The events of each chunk together, at least one.
 *
 * Throws {@link ApiError} that stands for an ERROR event, {@link ApiProtocolError} for what is no event, and what
 * ApiServer.get throws.
 */
export async function* watchEvents(api: ApiServer, request: WatchRequest): AsyncGenerator<WatchEvent[], void> {
  const { path, selector, resourceVersion, timing, clock, onHead, signal } = request
  const seconds = Math.ceil(timing.watchSeconds * (1 + clock.random()))
  const query = {
    ...selector,
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion,
    timeoutSeconds: String(seconds),
  }
  const context = `WATCH ${path}`
  let events: WatchEvent[] = []
  const lines = new LineParser((value) => events.push(readEvent(value, context)))
  for await (const chunk of api.get(path, { query, idleMs: timing.watchIdleMs, onHead, signal })) {
    events = []
    let failure: unknown
    try {
      lines.push(chunk)
    } catch (error) {
      failure = error instanceof SyntaxError ? new ApiProtocolError(context, error.message, { cause: error }) : error
    }
    // What came before the fault is good.
    if (events.length > 0) yield events
    if (failure !== undefined) throw failure
  }
}

function readEvent(value: unknown, context: string): WatchEvent {
  const { type, object } = (value ?? {}) as { readonly type?: unknown; readonly object?: unknown }
  if (type === 'ERROR') throw new ApiError(context, { code: 500, ...readStatus(object) })
  if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED' && type !== 'BOOKMARK')
    throw new ApiProtocolError(context, `unknown event '${String(type)}'`)
  const resourceVersion = (object as { metadata?: { resourceVersion?: unknown } } | undefined)?.metadata
    ?.resourceVersion
  if (typeof resourceVersion !== 'string' || resourceVersion === '')
    throw new ApiProtocolError(context, `${type} has no metadata.resourceVersion`)
  return { type, object, resourceVersion }
}
