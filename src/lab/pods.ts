// SPDX-License-Identifier: Apache-2.0
/** The pods of a lab: makes them, tells the agents of them by manifests, removes them. */

import { join } from 'node:path'
import { serviceEnvironment } from '../dns/service-environment.ts'
import { loadManifests } from '../source/manifests.ts'
import { podAddress } from './address-plan.ts'
import type { CniName } from './cni.ts'
import { LabError } from './lab-error.ts'
import { type LabNames, namespaceName } from './lab-names.ts'
import { deleteManifest, writeManifest } from './manifest.ts'
import { deleteNamespaces, inNamespace } from './namespace.ts'
import type { LabNode } from './nodes.ts'
import { type LabPod, type PodSpec, type PodState, podManifest, podPlaceName } from './pod.ts'
import { writePodEtc } from './pod-etc.ts'
import { connectPods, type PodLink } from './pod-network.ts'
import { type PodServer, startPodServer } from './pod-server.ts'
import { runChecked } from './run.ts'
import { until } from './until.ts'

/** terminationGracePeriodSeconds' default. */
const graceMs = 30_000

interface RunningPod {
  readonly pod: LabPod
  readonly server: PodServer | undefined
  state: PodState
}

export class Pods {
  readonly #cni: CniName
  readonly #names: LabNames
  readonly #nodes: readonly LabNode[]
  readonly #dns: boolean
  readonly #running = new Map<string, RunningPod>()
  // Neither an address nor a device name is used twice in a lab's life: what a removed pod leaves behind is seen.
  readonly #podsMade = new Map<string, number>()
  #linksMade = 0

  /** @param dns Pods ask the lab's DNS Service for names, not the machine's resolver. */
  constructor(cni: CniName, names: LabNames, nodes: readonly LabNode[], dns: boolean) {
    this.#cni = cni
    this.#names = names
    this.#nodes = nodes
    this.#dns = dns
  }

  /** By the names of their places: `web-1`, or `namespace.web-1` outside of the namespace `default`. */
  get all(): ReadonlyMap<string, LabPod> {
    return new Map([...this.#running].map(([name, { pod }]) => [name, pod]))
  }

  /** Creates pods, all at a time; they are ready, and said to be, when it resolves. */
  async create(specs: readonly PodSpec[], workload = ''): Promise<LabPod[]> {
    const pods = await this.#complete(specs.map((spec) => this.#plan(spec, workload)))
    const links = pods.filter((pod) => !pod.hostNetwork).map((pod) => this.#link(pod))
    await connectPods(this.#cni, links)
    const running = await Promise.all(pods.map((pod) => this.#start(pod)))
    // In the order of their names, not of their starts: the oldest pods of a workload are the first.
    for (const started of running) this.#running.set(podPlaceName(started.pod), started)
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
    const { pod } = this.#find(placeName)
    const established = inNamespace(pod.place.namespace, ['ss', '--no-header', '--tcp', 'state', 'established'])
    await until(`nobody is connected to ${placeName}`, async () => (await runChecked(established)) === '', graceMs)
  }

  /** Ends a pod's server and removes the pod and its manifest. */
  async remove(placeName: string): Promise<void> {
    const { pod, server } = this.#find(placeName)
    this.#running.delete(placeName)
    await deleteManifest(this.#names.manifests, { kind: 'Pod', name: pod.name, namespace: pod.namespace })
    await server?.stop()
    if (!pod.hostNetwork) await deleteNamespaces([pod.place.namespace])
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

  async #start(pod: LabPod): Promise<RunningPod> {
    const server = pod.ports.length > 0 ? await startPodServer(pod, join(this.#names.folder, 'pods.log')) : undefined
    const state = { ready: true, terminating: false }
    await writeManifest(this.#names.manifests, podManifest(pod, state))
    return { pod, server, state }
  }

  #plan(spec: PodSpec, workload: string): LabPod {
    const node = this.#nodes.find(({ name }) => name === spec.node)
    if (node === undefined) throw new LabError('LAB_NOT_FOUND', `pod ${spec.name}: the lab has no node ${spec.node}`)
    const names = { namespace: 'default', hostname: '', subdomain: '' }
    const common = { ...names, labels: {}, ports: [], hostNetwork: false, command: [], ...spec, workload }
    if (common.hostNetwork) return { ...common, addresses: node.addresses, place: node.place }
    const index = this.#podsMade.get(node.name) ?? 0
    this.#podsMade.set(node.name, index + 1)
    const namespace = namespaceName(this.#names.lab, podPlaceName(spec))
    return { ...common, addresses: podAddress(node.index, index), place: { namespace, cgroup: node.place.cgroup } }
  }

  #link(pod: LabPod): PodLink {
    const node = this.#nodes.find(({ name }) => name === pod.node)!
    const device = `veth${++this.#linksMade}`
    return { pod, nodeIndex: node.index, nodeNamespace: node.place.namespace, device }
  }

  #find(placeName: string): RunningPod {
    const running = this.#running.get(placeName)
    if (running === undefined) throw new LabError('LAB_NOT_FOUND', `the lab has no pod ${placeName}`)
    return running
  }
}
