// SPDX-License-Identifier: Apache-2.0
/** The smallest scheduler: the replicas of an owner go round the nodes that their Pods select. */

import type { KubeClient } from '../kube-test/kube-client.ts'
import { type PodObject, podPath } from './pod-object.ts'

export interface SchedulableNode {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

export class Scheduler {
  readonly #client: KubeClient
  readonly #nodes: readonly SchedulableNode[]
  /** By uid: a Pod is bound once, however often it changes meanwhile. */
  readonly #bound = new Set<string>()
  /** Bound so far, by the owner's uid. */
  readonly #turns = new Map<string, number>()

  constructor(client: KubeClient, nodes: readonly SchedulableNode[]) {
    this.#client = client
    this.#nodes = nodes
  }

  onPod(pod: PodObject): void {
    const { metadata, spec } = pod
    if (spec.nodeName || metadata.deletionTimestamp || this.#bound.has(metadata.uid)) return
    const candidates = nodesFor(pod, this.#nodes)
    const owner = metadata.ownerReferences?.[0]?.uid ?? ''
    const turn = this.#turns.get(owner) ?? 0
    const node = candidates[turn % candidates.length]
    if (node === undefined) return
    this.#turns.set(owner, turn + 1)
    this.#bound.add(metadata.uid)
    void this.#bind(pod, node.name)
  }

  onPodGone({ metadata }: PodObject): void {
    this.#bound.delete(metadata.uid)
  }

  async #bind(pod: PodObject, node: string): Promise<void> {
    const target = { apiVersion: 'v1', kind: 'Node', name: node }
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: pod.metadata.name }, target }
    await this.#client.create(`${podPath(pod)}/binding`, binding).catch((error: unknown) => {
      // Gone meanwhile, or the API server is away: the next change of the Pod is another chance.
      this.#bound.delete(pod.metadata.uid)
      process.stderr.write(`cannot bind: ${String(error)}\n`)
    })
  }
}

/** The nodes that a Pod may run on: those of its nodeSelector, and for a DaemonSet's Pod the one that it was made for. */
export function nodesFor({ spec }: PodObject, nodes: readonly SchedulableNode[]): SchedulableNode[] {
  const named = namedNodes(spec.affinity)
  return nodes.filter(({ name, labels }) => {
    const selected = Object.entries(spec.nodeSelector ?? {}).every(([label, value]) => labels[label] === value)
    return selected && (named === undefined || named.includes(name))
  })
}

/** The DaemonSet controller names a Pod's node by a node affinity to the field metadata.name. */
function namedNodes(affinity: unknown): readonly string[] | undefined {
  const { nodeAffinity } = (affinity ?? {}) as {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: {
        readonly nodeSelectorTerms?: readonly {
          readonly matchFields?: readonly { readonly key: string; readonly values?: readonly string[] }[]
        }[]
      }
    }
  }
  const terms = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  const fields = terms.flatMap(({ matchFields }) => matchFields ?? []).filter(({ key }) => key === 'metadata.name')
  return fields.length === 0 ? undefined : fields.flatMap(({ values }) => values ?? [])
}
