// SPDX-License-Identifier: Apache-2.0
/** Deployments, ReplicaSets and bare Pods: the lab is their scheduler and kubelet. */

import type { Agents } from './agents.ts'
import { LabError } from './lab-error.ts'
import type { ManifestObject } from './manifest.ts'
import type { LabNode } from './nodes.ts'
import { type LabPod, type PodSpec, podPlaceName } from './pod.ts'
import { type Container, podPorts } from './pod-object.ts'
import type { Pods } from './pods.ts'

interface PodTemplate {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> }
  readonly spec?: {
    readonly nodeName?: string
    readonly hostNetwork?: boolean
    readonly hostname?: string
    readonly subdomain?: string
    readonly containers?: readonly Container[]
  }
}

interface Workload {
  readonly name: string
  readonly namespace: string
  readonly template: PodTemplate
  /** Replicas are numbered on and on: a name is not used twice. */
  made: number
}

const workloadKinds = ['Deployment', 'ReplicaSet', 'Pod']

export function isWorkload(object: ManifestObject): boolean {
  return workloadKinds.includes(object.kind)
}

export class Workloads {
  readonly #nodes: readonly LabNode[]
  readonly #pods: Pods
  readonly #agents: Agents
  readonly #workloads = new Map<string, Workload>()

  constructor(nodes: readonly LabNode[], pods: Pods, agents: Agents) {
    this.#nodes = nodes
    this.#pods = pods
    this.#agents = agents
  }

  /** Runs a Pod, or as many as a Deployment or ReplicaSet asks for. */
  async apply(object: ManifestObject): Promise<void> {
    const { name, namespace = 'default' } = object.metadata
    if (object.kind === 'Pod') {
      const template: PodTemplate = { metadata: object.metadata, ...(object as { spec?: object }) }
      await this.#pods.create([this.#spec({ name, namespace, template, made: 0 }, name, this.#leastLoadedNodes(1)[0]!)])
      return
    }
    const spec = object.spec as { readonly replicas?: number; readonly template?: PodTemplate } | undefined
    const key = podPlaceName({ name, namespace })
    const made = this.#workloads.get(key)?.made ?? 0
    this.#workloads.set(key, { name, namespace, template: spec?.template ?? {}, made })
    await this.scale(key, spec?.replicas ?? 1)
  }

  async scale(key: string, replicas: number): Promise<void> {
    const workload = this.#workloads.get(key)
    if (workload === undefined) throw new LabError('LAB_NOT_FOUND', `the lab runs no workload ${key}`)
    const present = [...this.#pods.all].filter(([, pod]) => pod.workload === key)
    if (replicas > present.length) await this.#add(key, workload, replicas - present.length)
    // The youngest go first.
    await Promise.all(present.slice(replicas).map(([name, pod]) => this.#retire(name, pod, replicas === 0)))
  }

  async #add(key: string, workload: Workload, count: number): Promise<void> {
    const nodes = this.#leastLoadedNodes(count, key)
    const specs = nodes.map((node) => this.#spec(workload, `${workload.name}-${++workload.made}`, node))
    await this.#pods.create(specs, key)
  }

  /** As a kubelet does: the pod serves on until nobody sends anything new to it, and what it serves has ended. */
  async #retire(name: string, pod: LabPod, last: boolean): Promise<void> {
    await this.#pods.setState(name, { terminating: true })
    // The last pods of all serve while they terminate (KEP-1669): nobody forgets them before they are gone.
    if (!last) {
      await this.#agents.haveForgotten(pod)
      await this.#pods.haveDrained(name)
    }
    await this.#pods.remove(name)
  }

  #spec(workload: Workload, name: string, node: string): PodSpec {
    const { template, namespace } = workload
    return {
      name,
      namespace,
      node: template.spec?.nodeName ?? node,
      labels: template.metadata?.labels ?? {},
      ports: podPorts(template.spec?.containers ?? [], name),
      hostNetwork: template.spec?.hostNetwork ?? false,
      hostname: template.spec?.hostname ?? '',
      subdomain: template.spec?.subdomain ?? '',
      containers: template.spec?.containers ?? [],
    }
  }

  /** Nodes for so many more pods, each time the one with the fewest: of the workload, or at all. */
  #leastLoadedNodes(count: number, key?: string): string[] {
    const load = new Map(this.#nodes.map(({ name }) => [name, 0]))
    for (const pod of this.#pods.all.values()) {
      if (key === undefined || pod.workload === key) load.set(pod.node, (load.get(pod.node) ?? 0) + 1)
    }
    return Array.from({ length: count }, () => {
      const [node = ''] = [...load].sort(([, a], [, b]) => a - b)[0] ?? []
      load.set(node, (load.get(node) ?? 0) + 1)
      return node
    })
  }
}
