// SPDX-License-Identifier: Apache-2.0
/** A Service's Pods become EndpointSlices, as a cluster's endpointslice controller does it. */
import { HEADLESS_LABEL } from '../../model/endpoints-of-slices.ts'
import { defined } from '../../model/fields.ts'
import { familyOf } from '../../model/ip.ts'
import { ZONE_LABEL } from '../../model/node-context.ts'
import { SERVICE_NAME_LABEL } from '../../model/slice-index.ts'
import type { EndpointSlice, IpFamily, Node, Service, ServicePort, SliceEndpoint } from '../../model/types.ts'
import type { Pod } from '../pod.ts'

const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by'
const MANAGER = 'endpointslice-controller.k8s.io'

/**
 * Slices for each family of the Service and each set of port numbers among its Pods: a named target port may have
 * another number in every Pod.
 *
 * @param pods Those that the Service's selector selects.
 */
export function selectPods(
  service: Service,
  families: readonly IpFamily[],
  pods: readonly Pod[],
  nodes: ReadonlyMap<string, Node>,
): EndpointSlice[] {
  return families.flatMap((family) => {
    const groups = new Map<string, { ports: EndpointSlice['ports']; pods: Pod[] }>()
    for (const pod of pods) {
      if (isTerminal(pod) || !pod.status.podIPs.some((ip) => familyOf(ip) === family)) continue
      const ports = portsOf(service, pod)
      const key = ports.map(({ name, port }) => `${name}=${port}`).join(',')
      const group = groups.get(key)
      if (group) group.pods.push(pod)
      else groups.set(key, { ports, pods: [pod] })
    }
    return [...groups.values()].map((group, index) => toSlice(service, family, index, group, nodes))
  })
}

function toSlice(
  service: Service,
  family: IpFamily,
  index: number,
  group: { readonly ports: EndpointSlice['ports']; readonly pods: readonly Pod[] },
  nodes: ReadonlyMap<string, Node>,
): EndpointSlice {
  const { name, namespace, labels } = service.metadata
  const headless = service.spec.clusterIPs[0] === 'None' ? { [HEADLESS_LABEL]: '' } : {}
  const own = { ...headless, [SERVICE_NAME_LABEL]: name, [MANAGED_BY_LABEL]: MANAGER }
  return {
    metadata: { name: `${name}-pods-${family.toLowerCase()}-${index}`, namespace, labels: { ...labels, ...own } },
    addressType: family,
    endpoints: group.pods.map((pod) => toEndpoint(service, family, pod, nodes)),
    ports: group.ports,
  }
}

function toEndpoint(service: Service, family: IpFamily, pod: Pod, nodes: ReadonlyMap<string, Node>): SliceEndpoint {
  const serving = pod.status.ready
  const terminating = pod.metadata.deletionTimestamp !== undefined
  const nodeName = pod.spec.nodeName
  const zone = (nodeName && nodes.get(nodeName)?.metadata.labels?.[ZONE_LABEL]) || undefined
  const ready = service.spec.publishNotReadyAddresses || (serving && !terminating)
  return defined<SliceEndpoint>({
    addresses: pod.status.podIPs.filter((ip) => familyOf(ip) === family),
    conditions: { ready, serving, terminating },
    hostname: pod.spec.subdomain === service.metadata.name ? pod.spec.hostname : undefined,
    nodeName,
    zone,
    hints: ready ? hintsOf(service.spec.trafficDistribution, nodeName, zone) : undefined,
    targetRef: { kind: 'Pod', name: pod.metadata.name, namespace: pod.metadata.namespace },
  })
}

/** KEP-4444 and KEP-3015: every endpoint is meant for where it runs. */
function hintsOf(
  distribution: string | undefined,
  nodeName: string | undefined,
  zone: string | undefined,
): SliceEndpoint['hints'] {
  const sameNode = distribution === 'PreferSameNode'
  if (!sameNode && distribution !== 'PreferSameZone' && distribution !== 'PreferClose') return undefined
  const hints = defined<NonNullable<SliceEndpoint['hints']>>({
    forZones: zone ? [{ name: zone }] : undefined,
    forNodes: sameNode && nodeName ? [{ name: nodeName }] : undefined,
  })
  return Object.keys(hints).length > 0 ? hints : undefined
}

/** Ports whose name the Pod does not have are left out for it. */
function portsOf(service: Service, pod: Pod): EndpointSlice['ports'] {
  return service.spec.ports.flatMap((servicePort): EndpointSlice['ports'] => {
    const port = targetPortOf(servicePort, pod)
    const { name, protocol, appProtocol } = servicePort
    return port === undefined ? [] : [defined<EndpointSlice['ports'][number]>({ name, protocol, port, appProtocol })]
  })
}

function targetPortOf({ targetPort, protocol }: ServicePort, pod: Pod): number | undefined {
  if (typeof targetPort === 'number') return targetPort
  const ports = pod.spec.containers.flatMap((container) => container.ports)
  return ports.find((port) => port.name === targetPort && port.protocol === protocol)?.containerPort
}

function isTerminal(pod: Pod): boolean {
  return pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed'
}
