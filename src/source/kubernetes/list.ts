// SPDX-License-Identifier: Apache-2.0
/** A LIST in pages, each item handed on as it comes. */
import { ApiError, ApiProtocolError } from './api-error.ts'
import type { ApiServer } from './api-server.ts'
import { ListParser } from './list-parser.ts'
import type { Timing } from './timing.ts'

export interface ListRequest {
  readonly path: string
  readonly selector: Readonly<Record<string, string>>
  readonly timing: Timing
  readonly signal: AbortSignal
}

/**
 * Lists what is there now: no resource version is given, so that the answer is never older than what another API server
 * said before. What the state lacks is deleted from the maps, a restart must not take an old one for true.
 *
 * @param begin Called when a list begins, again when it has to begin anew; returns who takes the items.
 * @returns The list's resource version.
 */
export async function list(
  api: ApiServer,
  request: ListRequest,
  begin: () => (item: unknown) => void,
): Promise<string> {
  try {
    return await listPages(api, request, begin())
  } catch (error) {
    if (!(error instanceof ApiError && error.expired)) throw error
    // The pages took longer than the server remembers: all in one page then.
    return await listPages(api, { ...request, timing: { ...request.timing, pageSize: 0 } }, begin())
  }
}

async function listPages(
  api: ApiServer,
  { path, selector, timing, signal }: ListRequest,
  onItem: (item: unknown) => void,
): Promise<string> {
  let token = ''
  for (;;) {
    const query = {
      ...selector,
      ...(timing.pageSize > 0 ? { limit: String(timing.pageSize) } : {}),
      ...(token ? { continue: token } : {}),
    }
    const page = new ListParser(onItem)
    const context = `LIST ${path}`
    try {
      for await (const chunk of api.get(path, { query, idleMs: timing.listIdleMs, signal })) page.push(chunk)
      const { resourceVersion, next } = readListMetadata(page.end(), context)
      if (next === '') return resourceVersion
      token = next
    } catch (error) {
      if (error instanceof SyntaxError) throw new ApiProtocolError(context, error.message, { cause: error })
      throw error
    }
  }
}

function readListMetadata(
  envelope: unknown,
  context: string,
): { readonly resourceVersion: string; readonly next: string } {
  const { metadata } = (envelope ?? {}) as {
    readonly metadata?: { readonly resourceVersion?: unknown; readonly continue?: unknown } | null
  }
  const { resourceVersion, continue: next = '' } = metadata ?? {}
  if (typeof resourceVersion !== 'string' || resourceVersion === '' || typeof next !== 'string')
    throw new ApiProtocolError(context, 'the list has no metadata.resourceVersion')
  return { resourceVersion, next }
}
