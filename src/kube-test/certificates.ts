// SPDX-License-Identifier: Apache-2.0
/** A certificate authority for one control plane: made with it, gone with it. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

export interface KeyPair {
  /** Path of a PEM file. */
  readonly cert: string
  /** Path of a PEM file. */
  readonly key: string
}

export interface Subject {
  readonly commonName: string
  /** Kubernetes reads a client's groups from it. */
  readonly organization?: string
  /** Addresses that a server answers on; absent: a client. */
  readonly addresses?: readonly string[]
}

const VALID_DAYS = '2'
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc']

export class CertificateAuthority {
  readonly #folder: string
  readonly cert: string
  readonly #key: string

  constructor(folder: string) {
    this.#folder = folder
    this.cert = join(folder, 'ca.crt')
    this.#key = join(folder, 'ca.key')
    openssl([
      'req',
      '-x509',
      ...KEY,
      '-subj',
      '/CN=maglane-test-ca',
      '-days',
      VALID_DAYS,
      ...output(this.cert, this.#key),
    ])
  }

  /** @param name Of the files. */
  issue(name: string, { commonName, organization, addresses }: Subject): KeyPair {
    const pair = { cert: join(this.#folder, `${name}.crt`), key: join(this.#folder, `${name}.key`) }
    const subject = `${organization === undefined ? '' : `/O=${organization}`}/CN=${commonName}`
    const names = (addresses ?? []).map((address) => `IP:${address}`).join(',')
    const extensions = names
      ? ['extendedKeyUsage=serverAuth', `subjectAltName=${names}`]
      : ['extendedKeyUsage=clientAuth']
    openssl([
      ...['req', '-x509', ...KEY, '-CA', this.cert, '-CAkey', this.#key, '-subj', subject, '-days', VALID_DAYS],
      ...['basicConstraints=critical,CA:FALSE', ...extensions].flatMap((extension) => ['-addext', extension]),
      ...output(pair.cert, pair.key),
    ])
    return pair
  }

  /** A pair without a certificate, for signing service account tokens. @returns paths. */
  signingKey(name: string): { readonly key: string; readonly publicKey: string } {
    const pair = { key: join(this.#folder, `${name}.key`), publicKey: join(this.#folder, `${name}.pub`) }
    openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-out', pair.key])
    openssl(['pkey', '-in', pair.key, '-pubout', '-out', pair.publicKey])
    return pair
  }
}

function output(cert: string, key: string): string[] {
  return ['-out', cert, '-keyout', key]
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
