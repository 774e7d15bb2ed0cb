// SPDX-License-Identifier: Apache-2.0
/** Calls of the API that tests make: JSON there, JSON back. */
import { Agent, request } from 'node:https'

export interface KubeClientOptions {
  readonly server: string
  /** PEM. */
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** What the API refused. */
export class KubeCallError extends Error {
  readonly code = 'KUBE_CALL'
  readonly status: number
  constructor(call: string, status: number, text: string) {
    super(`${call}: ${status} ${text}`)
    this.name = 'KubeCallError'
    this.status = status
  }
}

/** Fields as they come; tests know what they asked for. */
// biome-ignore lint/suspicious/noExplicitAny: an API object of any kind
export type KubeObject = any

export class KubeClient {
  readonly #server: string
  readonly #agent: Agent

  constructor({ server, ca, cert, key }: KubeClientOptions) {
    this.#server = server
    this.#agent = new Agent({ ca, cert, key, keepAlive: true })
  }

  get(path: string): Promise<KubeObject> {
    return this.#call('GET', path)
  }

  create(path: string, object: object): Promise<KubeObject> {
    return this.#call('POST', path, object)
  }

  replace(path: string, object: object): Promise<KubeObject> {
    return this.#call('PUT', path, object)
  }

  /** RFC 7396. */
  patch(path: string, change: object): Promise<KubeObject> {
    return this.#call('PATCH', path, change, 'application/merge-patch+json')
  }

  delete(path: string): Promise<KubeObject> {
    return this.#call('DELETE', path)
  }

  close(): void {
    this.#agent.destroy()
  }

  #call(method: string, path: string, body?: object, type = 'application/json'): Promise<KubeObject> {
    const headers = { accept: 'application/json', ...(body ? { 'content-type': type } : {}) }
    return new Promise((resolve, reject) => {
      const call = request(`${this.#server}${path}`, { method, agent: this.#agent, headers }, async (response) => {
        try {
          const chunks: Buffer[] = []
          for await (const chunk of response) chunks.push(chunk)
          const text = Buffer.concat(chunks).toString()
          const status = response.statusCode ?? 0
          if (status < 200 || status > 299) reject(new KubeCallError(`${method} ${path}`, status, text))
          else resolve(text.startsWith('{') ? JSON.parse(text) : text)
        } catch (error) {
          reject(error)
        }
      })
      call.on('error', reject)
      call.end(body && JSON.stringify(body))
    })
  }
}
