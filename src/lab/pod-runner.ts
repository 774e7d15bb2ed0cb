// SPDX-License-Identifier: Apache-2.0
/** Pods as they stand on the machine: a namespace that hangs on its node, and a server in it. */

import { join } from 'node:path'
import { podAddress } from './address-plan.ts'
import type { CniName } from './cni.ts'
import { LabError } from './lab-error.ts'
import { type LabNames, namespaceName } from './lab-names.ts'
import { deleteNamespaces, inNamespace } from './namespace.ts'
import type { LabNode } from './nodes.ts'
import { type LabPod, type PodSpec, podPlaceName } from './pod.ts'
import { connectPods, type PodLink } from './pod-network.ts'
import { type PodServer, startPodServer } from './pod-server.ts'
import { runChecked } from './run.ts'
import { until } from './until.ts'

export interface RunningPod {
  readonly pod: LabPod
  /** Undefined: a place to call from. */
  readonly server: PodServer | undefined
}

export class PodRunner {
  readonly #cni: CniName
  readonly #names: LabNames
  readonly #nodes: readonly LabNode[]
  // Neither an address nor a device name is used twice in a lab's life: what a removed pod leaves behind is seen.
  readonly #podsMade = new Map<string, number>()
  #linksMade = 0

  constructor(cni: CniName, names: LabNames, nodes: readonly LabNode[]) {
    this.#cni = cni
    this.#names = names
    this.#nodes = nodes
  }

  /** Gives a pod its addresses and its place. Nothing is made yet. Throws LAB_NOT_FOUND for a node that there is not. */
  plan(spec: PodSpec, workload = ''): LabPod {
    const node = this.#nodes.find(({ name }) => name === spec.node)
    if (node === undefined) throw new LabError('LAB_NOT_FOUND', `pod ${spec.name}: the lab has no node ${spec.node}`)
    const names = { namespace: 'default', hostname: '', subdomain: '' }
    const none = { labels: {}, ports: [], hostNetwork: false, command: [], containers: [] }
    const common = { ...names, ...none, ...spec, workload }
    if (common.hostNetwork) return { ...common, addresses: node.addresses, place: node.place }
    const index = this.#podsMade.get(node.name) ?? 0
    this.#podsMade.set(node.name, index + 1)
    const namespace = namespaceName(this.#names.lab, podPlaceName(spec))
    return { ...common, addresses: podAddress(node.index, index), place: { namespace, cgroup: node.place.cgroup } }
  }

  /** Makes the pods, all at a time; their servers listen when it resolves. */
  async start(pods: readonly LabPod[]): Promise<RunningPod[]> {
    const links = pods.filter((pod) => !pod.hostNetwork).map((pod) => this.#link(pod))
    await connectPods(this.#cni, links)
    return await Promise.all(
      pods.map(async (pod) => {
        const log = join(this.#names.folder, 'pods.log')
        return { pod, server: pod.ports.length > 0 ? await startPodServer(pod, log) : undefined }
      }),
    )
  }

  /** Ends the server and removes the namespace. */
  async stop({ pod, server }: RunningPod): Promise<void> {
    await server?.stop()
    if (!pod.hostNetwork) await deleteNamespaces([pod.place.namespace])
  }

  #link(pod: LabPod): PodLink {
    const node = this.#nodes.find(({ name }) => name === pod.node)!
    const device = `veth${++this.#linksMade}`
    return { pod, nodeIndex: node.index, nodeNamespace: node.place.namespace, device }
  }
}

/** Waits until nobody is connected to the pod's server any more. Rejects with LAB_TIMEOUT. */
export async function haveDrained({ place, name, ports }: LabPod, timeoutMs: number): Promise<void> {
  const served = ports.filter(({ protocol }) => protocol === 'TCP').map(({ port }) => `sport = :${port}`)
  if (served.length === 0) return
  const argv = ['ss', '--no-header', '--tcp', 'state', 'established', `( ${served.join(' or ')} )`]
  const connections = inNamespace(place.namespace, argv)
  await until(`nobody is connected to ${name}`, async () => (await runChecked(connections)) === '', timeoutMs)
}
