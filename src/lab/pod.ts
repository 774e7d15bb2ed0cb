// SPDX-License-Identifier: Apache-2.0
/** A pod of the lab: what it is asked to be, and what it is. */

import type { AddressPair } from './address-plan.ts'
import type { Place } from './enter.ts'
import type { ManifestObject } from './manifest.ts'
import type { Container } from './pod-object.ts'

export interface PodPort {
  /** '' for none. */
  readonly name: string
  readonly protocol: 'TCP' | 'UDP'
  readonly port: number
}

export interface PodSpec {
  readonly name: string
  /** Default `default`. */
  readonly namespace?: string
  readonly node: string
  readonly labels?: Readonly<Record<string, string>>
  /** What its demo server listens to; none: no server, only a place to call from. */
  readonly ports?: readonly PodPort[]
  /** In the node's own network namespace, with the node's addresses. */
  readonly hostNetwork?: boolean
  /** Its name below a headless Service called like its subdomain; '' for none. */
  readonly hostname?: string
  readonly subdomain?: string
  /** What runs in the demo server's place; prints something once its ports are open. */
  readonly command?: readonly string[]
  /** Their probes say when it is ready; without any it is once it runs. */
  readonly containers?: readonly Container[]
}

export interface LabPod extends Required<PodSpec> {
  readonly addresses: AddressPair
  readonly place: Place
  /** Workload that it is a replica of; '' for none. */
  readonly workload: string
}

/** What a kubelet would say of it. */
export interface PodState {
  readonly ready: boolean
  readonly terminating: boolean
}

/** The name of the pod's place: as short as can be in the usual namespace. */
export function podPlaceName(pod: Pick<PodSpec, 'name' | 'namespace'>): string {
  const namespace = pod.namespace ?? 'default'
  return namespace === 'default' ? pod.name : `${namespace}.${pod.name}`
}

/** The Pod object with its status, from which the agents make endpoints. */
export function podManifest(pod: LabPod, state: PodState): ManifestObject {
  const ports = pod.ports.map(({ name, protocol, port }) => ({
    ...(name === '' ? {} : { name }),
    protocol,
    containerPort: port,
  }))
  const { ipv4, ipv6 } = pod.addresses
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: pod.name,
      namespace: pod.namespace,
      labels: pod.labels,
      ...(state.terminating ? { deletionTimestamp: new Date().toISOString() } : {}),
    },
    spec: {
      nodeName: pod.node,
      containers: [{ name: 'demo', image: 'maglane/demo', ports }],
      ...(pod.hostNetwork ? { hostNetwork: true } : {}),
      ...(pod.hostname === '' ? {} : { hostname: pod.hostname }),
      ...(pod.subdomain === '' ? {} : { subdomain: pod.subdomain }),
    },
    status: {
      phase: 'Running',
      podIP: ipv4,
      podIPs: [{ ip: ipv4 }, { ip: ipv6 }],
      conditions: [{ type: 'Ready', status: state.ready ? 'True' : 'False' }],
    },
  }
}
