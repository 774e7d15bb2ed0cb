// SPDX-License-Identifier: Apache-2.0
/** One Pod on its node, from its binding to its end, as its kubelet has it. */

import { join } from 'node:path'
import { aborted } from 'node:util'
import type { KubeClient } from '../kube-test/kube-client.ts'
import { type LabNames, pinFolder } from './lab-names.ts'
import type { LabNode } from './nodes.ts'
import { type LabPod, podPlaceName } from './pod.ts'
import { type PodObject, podPath, podSpecOf, runningStatus } from './pod-object.ts'
import { forgetPodPlace, notePodPlace } from './pod-places.ts'
import { haveDrained, type PodRunner, type RunningPod } from './pod-runner.ts'
import { followReadiness } from './readiness.ts'
import { servesAny } from './serving-backends.ts'
import { until } from './until.ts'

/**
 * A pod that is told to end serves on while somebody sends it something new, as one with a preStop hook does, but not for
 * longer than this: the last one of all is sent something new until it is gone (KEP-1669).
 */
const preStopMs = 5_000

export interface PodLifeOptions {
  readonly node: LabNode
  /** All of the cluster: where somebody may send from. */
  readonly nodes: readonly LabNode[]
  readonly names: LabNames
  readonly runner: PodRunner
  readonly client: KubeClient
}

export class PodLife {
  readonly #object: PodObject
  readonly #options: PodLifeOptions
  readonly #ending = new AbortController()
  readonly #gone = new AbortController()
  #endsAt = 0

  constructor(object: PodObject, options: PodLifeOptions) {
    this.#object = object
    this.#options = options
  }

  /** The Pod is being deleted. May be told again, with another grace period. */
  end(graceSeconds: number): void {
    this.#endsAt = performance.now() + graceSeconds * 1000
    this.#ending.abort()
  }

  /** The API does not have the Pod any more. */
  forget(): void {
    this.#gone.abort()
    this.end(0)
  }

  /** Resolves when nothing of the Pod is left, here and in the API. */
  async run(): Promise<void> {
    const { node, names, runner, client } = this.#options
    const { uid } = this.#object.metadata
    if (!this.#ending.signal.aborted) {
      const place = podPlaceName(this.#object.metadata)
      const [running] = (await runner.start([runner.plan(podSpecOf(this.#object, node.name))])) as [RunningPod]
      try {
        await notePodPlace(names.folder, place, running.pod.place)
        await this.#serve(running.pod)
        await this.#drain(running.pod)
      } finally {
        await forgetPodPlace(names.folder, place)
        await runner.stop(running)
      }
    }
    if (this.#gone.signal.aborted) return
    await client.delete(podPath(this.#object), { gracePeriodSeconds: 0, preconditions: { uid } })
  }

  /** Says how the pod is until it is told to end. */
  async #serve(pod: LabPod): Promise<void> {
    const { node } = this.#options
    const startTime = new Date().toISOString()
    const { containers } = this.#object.spec
    const ready = containers.map(() => false)
    let said: Promise<void> = Promise.resolve()
    const say = () => {
      const status = runningStatus(this.#object, pod, node, startTime, !ready.includes(false))
      said = said.then(() => this.#say(status))
    }
    const signal = this.#ending.signal
    const follow = containers.map((container, index) =>
      followReadiness(container, pod, node, signal, (isReady) => {
        ready[index] = isReady
        say()
      }),
    )
    await Promise.all(follow)
    if (!signal.aborted) await aborted(signal, this)
    await said
  }

  async #say(status: object): Promise<void> {
    try {
      await this.#options.client.patch(`${podPath(this.#object)}/status`, { status })
    } catch (error) {
      // A Pod that is gone has no status.
      if (!this.#gone.signal.aborted) process.stderr.write(`cannot say how a Pod is: ${String(error)}\n`)
    }
  }

  async #drain(pod: LabPod): Promise<void> {
    const pins = this.#options.nodes.map(({ name }) => join(pinFolder(this.#options.names.lab, name), 'maps'))
    const addresses = Object.values(pod.addresses) as string[]
    const isSentTo = () => pins.some((folder) => serves(folder, addresses))
    const gone = () => this.#gone.signal.aborted
    const leftMs = () => Math.max(0, this.#endsAt - performance.now())
    // Time that is up is no fault: that is what a grace period is.
    await until(`nobody sends to ${pod.name}`, () => gone() || !isSentTo(), Math.min(preStopMs, leftMs())).catch(
      () => {},
    )
    if (!gone()) await haveDrained(pod, leftMs()).catch(() => {})
  }
}

/** A node without an agent sends nothing. */
function serves(pins: string, addresses: readonly string[]): boolean {
  try {
    return servesAny(pins, addresses)
  } catch {
    return false
  }
}
