// SPDX-License-Identifier: Apache-2.0
/** Runs the source against a server, and waits for what it says. */
import type { TestContext } from 'node:test'
import type { InformerStatus } from '../../../src/source/kubernetes/informer.ts'
import type { Timing } from '../../../src/source/kubernetes/timing.ts'
import {
  type KubernetesOptions,
  type KubernetesState,
  watchKubernetes,
} from '../../../src/source/kubernetes/watch-kubernetes.ts'
import { FakeApiServer } from './fake-api-server.ts'

/** Retries at once; silence is found soon, but not before a busy machine had its turn. */
export const FAST: Partial<Timing> = { firstRetryMs: 1, maxRetryMs: 20, shortWatchMs: 0, watchIdleMs: 60_000 }

/** Of a condition that comes true in a fraction of it, on a machine that is busy too. */
const LIMIT_MS = 60_000

export class Follower {
  readonly states: KubernetesState[] = []
  readonly statuses: InformerStatus[] = []
  readonly done: Promise<void>
  readonly #abort = new AbortController()
  #heard = Promise.withResolvers<void>()

  constructor(options: Omit<KubernetesOptions, 'signal' | 'onChange'>) {
    this.done = watchKubernetes({
      ...options,
      signal: this.#abort.signal,
      onChange: (state) => {
        this.states.push(state)
        this.#tell()
      },
      onStatus: (status) => {
        this.statuses.push(status)
        this.#tell()
      },
    })
    this.done.catch(() => undefined)
  }

  get last(): KubernetesState | undefined {
    return this.states.at(-1)
  }

  /** Resolves when the condition holds; looks after each state and status. Rejects with what was said last when it never does. */
  async until(condition: (follower: Follower) => boolean): Promise<void> {
    const late = Promise.withResolvers<never>()
    late.promise.catch(() => undefined)
    const timer = setTimeout(() => late.reject(new Error(`Not in ${LIMIT_MS} ms; ${this.#recently()}`)), LIMIT_MS)
    try {
      while (!condition(this)) await Promise.race([this.#heard.promise, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Resolves when these are the names of the last state's objects. */
  async untilServices(...names: string[]): Promise<void> {
    const wanted = names
      .map((name) => `default/${name}`)
      .sort()
      .join()
    await this.until(({ last }) => last !== undefined && [...last.objects.services.keys()].sort().join() === wanted)
  }

  /** Resolves when every informer's newest status is that it watches. */
  async untilWatching(): Promise<void> {
    await this.until(({ statuses }) => {
      const phases = new Map(statuses.map(({ kind, phase }) => [kind, phase]))
      return phases.size === 4 && [...phases.values()].every((phase) => phase === 'watching')
    })
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    await this.done
  }

  #recently(): string {
    const statuses = this.statuses.slice(-8).map(({ kind, phase, error }) => `${kind} ${phase} ${error?.message ?? ''}`)
    const services = [...(this.last?.objects.services.keys() ?? [])].slice(0, 20)
    return `${this.states.length} states, services ${services.join(', ')}; ${statuses.join('; ')}`
  }

  #tell(): void {
    const heard = this.#heard
    this.#heard = Promise.withResolvers()
    heard.resolve()
  }
}

export async function startServer(context: TestContext): Promise<FakeApiServer> {
  const server = new FakeApiServer()
  await server.start()
  context.after(() => server.stop())
  return server
}

/** A follower that ends with the test. */
export function follow(
  context: TestContext,
  server: FakeApiServer,
  options: Partial<Omit<KubernetesOptions, 'signal' | 'onChange'>> = {},
): Follower {
  const follower = new Follower({
    nodeName: 'node-a',
    master: server.url,
    ...options,
    timing: { ...FAST, ...options.timing },
  })
  context.after(() => follower.stop().catch(() => undefined))
  return follower
}
