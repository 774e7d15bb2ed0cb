// SPDX-License-Identifier: Apache-2.0
/** The lab's nodes. */

import { type AddressPair, nodeAddress, podCidr } from './address-plan.ts'
import type { Place } from './enter.ts'
import { instanceName, type LabNames, placeOf } from './lab-names.ts'
import type { ManifestObject } from './manifest.ts'

export interface LabNode {
  readonly name: string
  readonly index: number
  readonly addresses: AddressPair
  /** Name of its agent's instance. */
  readonly instance: string
  readonly place: Place
}

export function labNodes(lab: LabNames, names: readonly string[]): LabNode[] {
  return names.map((name, index) => ({
    name,
    index,
    addresses: nodeAddress(index),
    instance: instanceName(lab.lab, name),
    place: placeOf(lab, name),
  }))
}

/** The Node object that a cluster would have of it; each node is a zone of its own: `zone-a` for `node-a`. */
export function nodeManifest(node: Pick<LabNode, 'name' | 'index'>): ManifestObject {
  const addresses = nodeAddress(node.index)
  const cidr = podCidr(node.index)
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: node.name,
      labels: {
        'kubernetes.io/hostname': node.name,
        'topology.kubernetes.io/zone': node.name.replace('node', 'zone'),
      },
    },
    spec: { podCIDR: cidr.ipv4, podCIDRs: [cidr.ipv4, cidr.ipv6] },
    status: {
      addresses: [
        { type: 'Hostname', address: node.name },
        { type: 'InternalIP', address: addresses.ipv4 },
        { type: 'InternalIP', address: addresses.ipv6 },
      ],
    },
  }
}
