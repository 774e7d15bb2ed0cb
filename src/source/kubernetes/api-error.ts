// SPDX-License-Identifier: Apache-2.0
/** What can go wrong between the agent and the API server. */

/** The API server refused. */
export class ApiError extends Error {
  readonly code = 'KUBE_API'
  /** HTTP status, or the code of a Status object. */
  readonly status: number
  /** Of the Status object, such as `Expired`; '' without one. */
  readonly reason: string
  /** What the server asks to wait, in milliseconds. */
  readonly retryAfterMs: number

  constructor(context: string, status: StatusObject & { readonly code: number }, retryAfterMs = 0) {
    super(`${context}: ${status.message || status.reason || 'refused'} (${status.code})`)
    this.name = 'ApiError'
    this.status = status.code
    this.reason = status.reason ?? ''
    this.retryAfterMs = retryAfterMs
  }

  /** The resource version, or the token of a LIST's next page, is too old. */
  get expired(): boolean {
    return this.status === 410 || this.reason === 'Expired' || this.reason === 'Gone'
  }
}

/** There was no connection, or it did not hold. */
export class ApiConnectionError extends Error {
  readonly code: string = 'KUBE_CONNECTION'
  constructor(context: string, cause: unknown) {
    super(`${context}: ${cause instanceof Error ? cause.message || String(cause) : String(cause)}`, { cause })
    this.name = 'ApiConnectionError'
  }
}

/** An answer had begun, and then nothing came for too long. */
export class ApiSilenceError extends ApiConnectionError {
  override readonly code = 'KUBE_SILENCE'
  constructor(context: string, idleMs: number) {
    super(context, `nothing came for ${idleMs} ms`)
    this.name = 'ApiSilenceError'
  }
}

/** The server answered what no API server answers. */
export class ApiProtocolError extends Error {
  readonly code = 'KUBE_PROTOCOL'
  constructor(context: string, message: string, options?: ErrorOptions) {
    super(`${context}: ${message}`, options)
    this.name = 'ApiProtocolError'
  }
}

/** meta/v1 Status, as far as it is read. */
export interface StatusObject {
  readonly message?: string
  readonly reason?: string
  readonly code?: number
}

/** An object's own text, or nothing: what answers may be anything, a proxy's page too. */
export function readStatus(value: unknown): StatusObject {
  if (typeof value !== 'object' || value === null) return {}
  const { message, reason, code } = value as Record<string, unknown>
  return {
    ...(typeof message === 'string' ? { message } : {}),
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(typeof code === 'number' ? { code } : {}),
  }
}
