// SPDX-License-Identifier: Apache-2.0
/** Pods as the API has them: what the lab reads of them, and the status that it writes. */

import { LabError } from './lab-error.ts'
import type { LabNode } from './nodes.ts'
import type { LabPod, PodPort, PodSpec } from './pod.ts'

export interface ContainerPort {
  readonly name?: string
  readonly protocol?: string
  readonly containerPort: number
}

export interface ReadinessProbe {
  readonly httpGet?: { readonly path?: string; readonly port: number | string }
  readonly tcpSocket?: { readonly port: number | string }
  readonly exec?: { readonly command?: readonly string[] }
  readonly initialDelaySeconds?: number
  readonly periodSeconds?: number
  readonly timeoutSeconds?: number
  readonly successThreshold?: number
  readonly failureThreshold?: number
}

export interface Container {
  readonly name: string
  readonly image?: string
  readonly ports?: readonly ContainerPort[]
  readonly readinessProbe?: ReadinessProbe
}

/** The fields that are read. */
export interface PodObject {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid: string
    readonly labels?: Readonly<Record<string, string>>
    readonly ownerReferences?: readonly { readonly uid: string }[]
    readonly deletionTimestamp?: string
    readonly deletionGracePeriodSeconds?: number
  }
  readonly spec: {
    readonly nodeName?: string
    readonly hostNetwork?: boolean
    readonly hostname?: string
    readonly subdomain?: string
    readonly nodeSelector?: Readonly<Record<string, string>>
    readonly affinity?: unknown
    readonly containers: readonly Container[]
  }
}

export function podPath({ metadata: { namespace, name } }: PodObject): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`
}

/** Throws LAB_BAD_OBJECT for a port that the demo server cannot serve. */
export function podSpecOf({ metadata, spec }: PodObject, node: string): PodSpec {
  return {
    name: metadata.name,
    namespace: metadata.namespace,
    node,
    labels: metadata.labels ?? {},
    ports: podPorts(spec.containers, metadata.name),
    hostNetwork: spec.hostNetwork ?? false,
    hostname: spec.hostname ?? '',
    subdomain: spec.subdomain ?? '',
  }
}

/** What the containers of a pod listen to. Throws LAB_BAD_OBJECT. */
export function podPorts(containers: readonly Pick<Container, 'ports'>[], pod: string): PodPort[] {
  const ports = containers.flatMap((container) => container.ports ?? [])
  return ports.map(({ name = '', protocol = 'TCP', containerPort }) => {
    if (protocol !== 'TCP' && protocol !== 'UDP') {
      throw new LabError('LAB_BAD_OBJECT', `pod ${pod}: the demo server speaks TCP and UDP, not ${protocol}`)
    }
    return { name, protocol, port: containerPort }
  })
}

/** What a kubelet says of a Pod that runs. */
export function runningStatus(
  object: PodObject,
  pod: LabPod,
  node: LabNode,
  startTime: string,
  ready: boolean,
): object {
  const addresses = ({ ipv4, ipv6 }: LabPod['addresses']) => [{ ip: ipv4 }, { ip: ipv6 }]
  const condition = (type: string, holds: boolean) => ({ type, status: holds ? 'True' : 'False' })
  return {
    phase: 'Running',
    startTime,
    hostIP: node.addresses.ipv4,
    hostIPs: addresses(node.addresses),
    podIP: pod.addresses.ipv4,
    podIPs: addresses(pod.addresses),
    conditions: [
      condition('PodScheduled', true),
      condition('PodReadyToStartContainers', true),
      condition('Initialized', true),
      condition('ContainersReady', ready),
      condition('Ready', ready),
    ],
    containerStatuses: object.spec.containers.map(({ name, image = '' }) => ({
      name,
      image,
      imageID: '',
      ready,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: startTime } },
    })),
  }
}
