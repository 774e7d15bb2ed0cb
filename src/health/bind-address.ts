// SPDX-License-Identifier: Apache-2.0
/** The addresses that servers listen on, as kube-proxy's configuration writes them. */

import { canonicalAddress } from '../model/ip.ts'

export interface BindAddress {
  /** Undefined: every address of every family. */
  readonly host: string | undefined
  readonly port: number
}

/** Reads `10.0.0.1:80`, `[::1]:80`, `:80`, or an address alone, which gets the default port. Throws a TypeError that says what was expected. */
export function parseBindAddress(text: string, defaultPort: number): BindAddress {
  const alone = canonicalAddress(text.replace(/^\[(.*)\]$/, '$1'))
  if (alone !== undefined) return { host: unlessWildcard(alone), port: defaultPort }
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? []
  const written = bracketed ?? plain
  const port = Number(digits)
  const host = written === undefined || written === '' ? undefined : canonicalAddress(written)
  if (digits === undefined || port > 65_535 || (written !== '' && host === undefined)) {
    throw new TypeError(`Expected IP:PORT, got '${text}'`)
  }
  return { host: unlessWildcard(host), port }
}

/** Go listens on both families where 0.0.0.0 is asked for, so that is what kube-proxy's default means. */
function unlessWildcard(host: string | undefined): string | undefined {
  return host === '0.0.0.0' || host === '::' ? undefined : host
}

/** `10.0.0.1:80`, `[::1]:80`, `:80`. */
export function formatBindAddress({ host, port }: BindAddress): string {
  return `${host === undefined ? '' : host.includes(':') ? `[${host}]` : host}:${port}`
}
