// SPDX-License-Identifier: Apache-2.0
/** The pods of a lab without an API server: their manifests say how they are. */

import { serviceEnvironment } from '../dns/service-environment.ts'
import { loadManifests } from '../source/manifests.ts'
import type { CniName } from './cni.ts'
import { LabError } from './lab-error.ts'
import type { LabNames } from './lab-names.ts'
import { deleteManifest, writeManifest } from './manifest.ts'
import type { LabNode } from './nodes.ts'
import { type LabPod, type PodSpec, type PodState, podManifest, podPlaceName } from './pod.ts'
import { writePodEtc } from './pod-etc.ts'
import { followPodReadiness, hasProbes } from './pod-readiness.ts'
import { haveDrained, PodRunner, type RunningPod } from './pod-runner.ts'

/** terminationGracePeriodSeconds' default. */
const graceMs = 30_000

interface KnownPod extends RunningPod {
  /** Ends its probes. */
  readonly ending: AbortController
  state: PodState
}

export class Pods {
  readonly #names: LabNames
  readonly #nodes: readonly LabNode[]
  readonly #runner: PodRunner
  readonly #dns: boolean
  readonly #running = new Map<string, KnownPod>()

  /** @param dns Pods ask the lab's DNS Service for names, not the machine's resolver. */
  constructor(cni: CniName, names: LabNames, nodes: readonly LabNode[], dns: boolean) {
    this.#names = names
    this.#nodes = nodes
    this.#runner = new PodRunner(cni, names, nodes)
    this.#dns = dns
  }

  /** By the names of their places: `web-1`, or `namespace.web-1` outside of the namespace `default`. */
  get all(): ReadonlyMap<string, LabPod> {
    return new Map([...this.#running].map(([name, { pod }]) => [name, pod]))
  }

  /** Creates pods, all at a time; they run, and are ready unless they have probes, when it resolves. */
  async create(specs: readonly PodSpec[], workload = ''): Promise<LabPod[]> {
    const pods = await this.#complete(specs.map((spec) => this.#runner.plan(spec, workload)))
    const running = await this.#runner.start(pods)
    const known = running.map((started): KnownPod => {
      const state = { ready: !hasProbes(started.pod), terminating: false }
      return { ...started, state, ending: new AbortController() }
    })
    await Promise.all(known.map(({ pod, state }) => writeManifest(this.#names.manifests, podManifest(pod, state))))
    // In the order of their names, not of their starts: the oldest pods of a workload are the first.
    for (const one of known) this.#running.set(podPlaceName(one.pod), one)
    for (const one of known) if (hasProbes(one.pod)) void this.#followReadiness(one)
    return pods
  }

  /** Says something else of a pod than that it is ready. */
  async setState(placeName: string, state: Partial<PodState>): Promise<void> {
    const running = this.#find(placeName)
    running.state = { ...running.state, ...state }
    await writeManifest(this.#names.manifests, podManifest(running.pod, running.state))
  }

  /** Waits until nobody is connected to the pod any more, at most as long as a pod's grace period usually lasts. */
  async haveDrained(placeName: string): Promise<void> {
    await haveDrained(this.#find(placeName).pod, graceMs)
  }

  /** Ends a pod's server and removes the pod and its manifest. */
  async remove(placeName: string): Promise<void> {
    const running = this.#find(placeName)
    const { name, namespace } = running.pod
    running.ending.abort()
    this.#running.delete(placeName)
    await deleteManifest(this.#names.manifests, { kind: 'Pod', name, namespace })
    await this.#runner.stop(running)
  }

  /** Ends the probes: what was last said of the pods stays. */
  leave(): void {
    for (const { ending } of this.#running.values()) ending.abort()
  }

  async #followReadiness({ pod, ending: { signal } }: KnownPod): Promise<void> {
    const node = this.#nodes.find(({ name }) => name === pod.node)!
    let said: Promise<void> = Promise.resolve()
    await followPodReadiness(pod, node, signal, (ready) => {
      said = said.then(async () => {
        if (!signal.aborted) await this.#sayReady(pod, ready, signal)
      })
    })
    await said
  }

  async #sayReady(pod: LabPod, ready: boolean, signal: AbortSignal): Promise<void> {
    try {
      await this.setState(podPlaceName(pod), { ready })
    } catch (error) {
      // A lab that is taken down meanwhile has no folder to write to.
      if (!signal.aborted) throw error
    }
  }

  /** What a kubelet adds when it starts a container: the variables of the Services there are, and how to resolve names. */
  async #complete(pods: readonly LabPod[]): Promise<LabPod[]> {
    const { objects } = await loadManifests(this.#names.manifests)
    return await Promise.all(
      pods.map(async (pod) => {
        const environment = serviceEnvironment(objects, pod.namespace)
        // A Pod of the node's network has the node's own resolver (dnsPolicy Default).
        const etc = this.#dns && !pod.hostNetwork ? { etc: await writePodEtc(this.#names.folder, pod) } : {}
        return { ...pod, place: { ...pod.place, environment, ...etc } }
      }),
    )
  }

  #find(placeName: string): KnownPod {
    const running = this.#running.get(placeName)
    if (running === undefined) throw new LabError('LAB_NOT_FOUND', `the lab has no pod ${placeName}`)
    return running
  }
}
