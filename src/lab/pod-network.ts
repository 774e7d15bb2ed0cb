// SPDX-License-Identifier: Apache-2.0
/** The network of pods: a namespace and a veth each, made many at a time. */

import { type CniName, podMtu, podNodeSetup, podSetup } from './cni.ts'
import { emptySetup, ipBatch, type NamespaceSetup, setUpNamespace } from './namespace.ts'
import type { LabPod } from './pod.ts'

/** A pod and the devices that its link is made of. */
export interface PodLink {
  readonly pod: LabPod
  readonly nodeIndex: number
  readonly nodeNamespace: string
  /** The node's end of the veth; the pod's is eth0. */
  readonly device: string
}

/** Creates the pods' namespaces and connects them; the pods can be reached when it resolves. */
export async function connectPods(cni: CniName, links: readonly PodLink[]): Promise<void> {
  const mtu = podMtu(cni)
  await ipBatch(
    links.flatMap(({ pod, nodeNamespace, device }) => [
      `netns add ${pod.place.namespace}`,
      `link add eth0 mtu ${mtu} netns ${pod.place.namespace} type veth peer name ${device} mtu ${mtu} netns ${nodeNamespace}`,
    ]),
  )
  const places = links.map(({ pod, nodeIndex, device }) => ({ nodeIndex, device, addresses: pod.addresses }))
  const nodeSetups = new Map<string, NamespaceSetup[]>()
  for (const [index, { nodeNamespace }] of links.entries()) {
    const setups = nodeSetups.get(nodeNamespace) ?? []
    nodeSetups.set(nodeNamespace, [...setups, podNodeSetup(cni, places[index]!)])
  }
  await Promise.all([
    ...links.map(({ pod }, index) => setUpNamespace(pod.place.namespace, podSetup(cni, places[index]!))),
    ...[...nodeSetups].map(([namespace, setups]) => setUpNamespace(namespace, merge(setups))),
  ])
}

function merge(setups: readonly NamespaceSetup[]): NamespaceSetup {
  return {
    ...emptySetup,
    sysctls: Object.assign({}, ...setups.map((setup) => setup.sysctls)) as NamespaceSetup['sysctls'],
    ip: setups.flatMap((setup) => setup.ip),
  }
}
