// SPDX-License-Identifier: Apache-2.0
/** Where the API server is and who we are to it: a kubeconfig file, or the ways of a Pod in the cluster. */
import { readFileSync } from 'node:fs'
import type { Agent, RequestOptions } from 'node:https'
import { dirname, resolve } from 'node:path'
import process from 'node:process'
import { KubeConfig, type User } from '@kubernetes/client-node'
import { parse } from 'yaml'

export interface AccessOptions {
  /** Path; '' or absent: a Pod's service account. */
  readonly kubeconfig?: string | undefined
  /** URL of the API server, instead of the kubeconfig's. */
  readonly master?: string | undefined
}

/** Neither a kubeconfig that can be used nor a Pod of a cluster. */
export class KubeAccessError extends Error {
  readonly code = 'KUBE_ACCESS'
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'KubeAccessError'
  }
}

/** What a request needs, as it is now: certificates and tokens are replaced while the agent runs. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  readonly tls: Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'rejectUnauthorized' | 'servername'>
  /** `user:password`. */
  readonly auth?: string
  /** Only where the kubeconfig names a proxy: the agent that goes through it. */
  readonly proxy?: Agent
}

export class KubeAccess {
  readonly #options: AccessOptions
  #config: KubeConfig

  /** Throws {@link KubeAccessError}. */
  constructor(options: AccessOptions) {
    this.#options = options
    this.#config = loadConfig(options)
  }

  /** Base URL of the API server, without a slash at its end. */
  get server(): string {
    return currentCluster(this.#config).server.replace(/\/+$/, '')
  }

  /** Reads tokens and certificates anew where they are files or a program's output. */
  async credentials(): Promise<Credentials> {
    const options: RequestOptions = {}
    await this.#config.applyToHTTPSOptions(options)
    const { ca, cert, key, passphrase, rejectUnauthorized, servername, auth, agent } = options
    const tls = Object.fromEntries(
      Object.entries({ ca, cert, key, passphrase, rejectUnauthorized, servername }).filter(
        ([, value]) => value != null,
      ),
    )
    const headers = Object.entries(options.headers ?? {}).map(([name, value]) => [name, String(value).trim()])
    return {
      headers: Object.fromEntries(headers),
      tls,
      ...(auth ? { auth } : {}),
      ...(currentCluster(this.#config).proxyUrl && agent ? { proxy: agent as Agent } : {}),
    }
  }

  /** After a 401: forgets tokens that were kept, since they may have been revoked before they expired. */
  renew(): void {
    this.#config = loadConfig(this.#options)
  }
}

function loadConfig({ kubeconfig, master }: AccessOptions): KubeConfig {
  const config = new KubeConfig()
  if (kubeconfig) loadFile(config, kubeconfig)
  else if (process.env.KUBERNETES_SERVICE_HOST) config.loadFromCluster()
  else if (master) config.loadFromClusterAndUser({ name: 'master', server: master, skipTLSVerify: false }, { name: '' })
  else
    throw new KubeAccessError(
      'no API server: give --kubeconfig or --manifests, or run in a Pod with a service account (KUBERNETES_SERVICE_HOST is not set)',
    )
  if (!config.getCurrentCluster())
    throw new KubeAccessError(`${kubeconfig}: current-context '${config.currentContext}' names no cluster`)
  config.clusters = config.clusters.map((cluster) => {
    const server = master ?? cluster.server
    // Of plain HTTP the library wants to hear that nothing is verified, which is so.
    return { ...cluster, server, skipTLSVerify: cluster.skipTLSVerify || server.startsWith('http:') }
  })
  return config
}

function currentCluster(config: KubeConfig): NonNullable<ReturnType<KubeConfig['getCurrentCluster']>> {
  const cluster = config.getCurrentCluster()
  if (!cluster) throw new KubeAccessError(`current-context '${config.currentContext}' names no cluster`)
  return cluster
}

function loadFile(config: KubeConfig, path: string): void {
  try {
    const text = readFileSync(path, 'utf8')
    config.loadFromString(text)
    config.makePathsAbsolute(dirname(resolve(path)))
    config.users = config.users.map((user) => withTokenFile(user, text, path))
  } catch (cause) {
    throw new KubeAccessError(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** `tokenFile`, which kubeadm writes for kube-proxy, is nothing that the library knows; its in-cluster way reads such files. */
function withTokenFile(user: User, text: string, path: string): User {
  const { users }: { users?: readonly { readonly name?: string; readonly user?: { readonly tokenFile?: string } }[] } =
    parse(text)
  const tokenFile = users?.find(({ name }) => name === user.name)?.user?.tokenFile
  if (!tokenFile) return user
  const file = resolve(dirname(resolve(path)), tokenFile)
  return { ...user, authProvider: { name: 'tokenFile', config: { tokenFile: file } } }
}
