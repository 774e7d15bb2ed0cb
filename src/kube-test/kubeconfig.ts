// SPDX-License-Identifier: Apache-2.0
/** Kubeconfig files for a control plane's clients. */
import { writeFileSync } from 'node:fs'
import { stringify } from 'yaml'

export interface KubeconfigOptions {
  readonly server: string
  /** Paths, as all that names a file. */
  readonly ca: string
  readonly user: { readonly cert: string; readonly key: string } | { readonly tokenFile: string }
}

export function writeKubeconfig(path: string, { server, ca, user }: KubeconfigOptions): void {
  const credentials = 'tokenFile' in user ? user : { 'client-certificate': user.cert, 'client-key': user.key }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': ca } }],
    users: [{ name: 'test', user: credentials }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  }
  writeFileSync(path, stringify(config), { mode: 0o600 })
}
