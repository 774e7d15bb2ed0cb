// SPDX-License-Identifier: Apache-2.0
/** Calls of the API that tests and the lab make: JSON there, JSON back. */
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

  /** @param options DeleteOptions of meta/v1. */
  delete(path: string, options?: object): Promise<KubeObject> {
    return this.#call('DELETE', path, options)
  }

  close(): void {
    this.#agent.destroy()
  }

  #call(method: string, path: string, body?: object, type = 'application/json'): Promise<KubeObject> {
    const text = body && JSON.stringify(body)
    // node:http frames the body of a DELETE only where its length is said.
    const content = text === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(text) }
    const headers = { accept: 'application/json', ...content }
    return new Promise((resolve, reject) => {
      const call = request(`${this.#server}${path}`, { method, agent: this.#agent, headers }, async (response) => {
        try {
          const chunks: Buffer[] = []
          for await (const chunk of response) chunks.push(chunk)
          const answer = Buffer.concat(chunks).toString()
          const status = response.statusCode ?? 0
          if (status < 200 || status > 299) reject(new KubeCallError(`${method} ${path}`, status, answer))
          else resolve(answer.startsWith('{') ? JSON.parse(answer) : answer)
        } catch (error) {
          reject(error)
        }
      })
      call.on('error', reject)
      call.end(text)
    })
  }
}
