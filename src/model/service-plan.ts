// SPDX-License-Identifier: Apache-2.0
/** From a Service, its slices and the node to all that the dataplane needs of it, with kube-proxy's semantics. */
import { type CategorizedEndpoints, categorizeEndpoints, type Endpoint } from './categorize-endpoints.ts'
import { type EndpointsByPort, endpointsKey, endpointsOfSlices } from './endpoints-of-slices.ts'
import { addressKey, cidrContains, familyOf, parseCidr } from './ip.ts'
import type {
  BackendPlan,
  BackendSetPlan,
  EndpointSlice,
  FrontendKind,
  FrontendPlan,
  IpFamily,
  NodeContext,
  PortPlan,
  Service,
  ServicePlan,
  ServicePort,
} from './types.ts'

/** On a Service: another proxy's, KEP-2447. */
export const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name'

const LOOPBACK = '127.0.0.1'
const NO_ENDPOINTS: readonly Endpoint[] = []

/** The addresses of a Service in one family; undefined kinds have none. */
interface FamilyFrontends {
  readonly family: IpFamily
  readonly clusterIP: string
  readonly loadBalancerIPs: readonly string[]
  readonly externalIPs: readonly string[]
  readonly nodePortAddresses: readonly string[]
  readonly sourceRanges: readonly string[] | undefined
}

/** Whether the Service has frontends that are ours: not headless, not ExternalName, not another proxy's, an address allocated. */
export function isProxied(service: Service): boolean {
  const { type, clusterIPs } = service.spec
  if (type === 'ExternalName' || clusterIPs.length === 0 || clusterIPs[0] === 'None') return false
  return service.metadata.labels?.[PROXY_NAME_LABEL] === undefined
}

/**
 * Plans one Service. A Service that is not proxied gives a plan without ports.
 *
 * @param slices The slices of this Service, in an order that is the same on every node.
 */
export function planService(service: Service, slices: readonly EndpointSlice[], node: NodeContext): ServicePlan {
  const { metadata, spec } = service
  const proxied = isProxied(service)
  const endpoints: EndpointsByPort = proxied ? endpointsOfSlices(slices, node) : new Map()
  const families = proxied ? spec.clusterIPs.map((clusterIP) => familyFrontends(service, clusterIP, node)) : []
  const taken = new Set<string>()
  const needsHealthCheck = proxied && spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    creationTimestamp: metadata.creationTimestamp ?? '',
    uid: metadata.uid ?? '',
    ports: proxied ? spec.ports.map((port) => planPort(service, port, families, endpoints, node, taken)) : [],
    clusterIPs: families.map(({ clusterIP }) => clusterIP),
    externalAddresses: unique(families.flatMap((family) => [...family.loadBalancerIPs, ...family.externalIPs])),
    affinitySeconds: spec.sessionAffinity === 'ClientIP' ? spec.affinityTimeoutSeconds : 0,
    externalTrafficPolicy: spec.externalTrafficPolicy,
    internalTrafficPolicy: spec.internalTrafficPolicy,
    healthCheckNodePort: needsHealthCheck ? spec.healthCheckNodePort : 0,
    localReadyEndpoints: countLocalReady(endpoints),
  }
}

/** As kube-proxy: a family in which the Service has no ClusterIP has no other frontends either. */
function familyFrontends(service: Service, clusterIP: string, node: NodeContext): FamilyFrontends {
  const family = familyOf(clusterIP)
  const sameFamily = (address: string) => familyOf(address) === family
  const loadBalancerIPs = service.status.loadBalancer.ingress.flatMap(({ ip, ipMode }) =>
    // Absent means VIP, KEP-1860.
    ip !== undefined && ipMode !== 'Proxy' && sameFamily(ip) ? [ip] : [],
  )
  const loopback = family === 'IPv4' && node.localhostNodePorts ? [LOOPBACK] : []
  return {
    family,
    clusterIP,
    loadBalancerIPs,
    externalIPs: service.spec.externalIPs.filter(sameFamily),
    nodePortAddresses: [...loopback, ...node.nodePortAddresses.filter(sameFamily)],
    sourceRanges: sourceRanges(service, family, loadBalancerIPs, node),
  }
}

/**
 * Ranges of one family do not restrict the other. A process of the node may use the LB IP as its source, where that is
 * configured on the node: when the ranges hold the node, they hold that too.
 */
function sourceRanges(
  service: Service,
  family: IpFamily,
  loadBalancerIPs: readonly string[],
  node: NodeContext,
): readonly string[] | undefined {
  const cidrs = service.spec.loadBalancerSourceRanges
    .flatMap((text) => parseCidr(text) ?? [])
    .filter((cidr) => cidr.family === family)
  if (cidrs.length === 0) return undefined
  const allowsNode = node.primaryAddresses.some((address) => cidrs.some((cidr) => cidrContains(cidr, address)))
  const own = allowsNode ? loadBalancerIPs.map((address) => `${address}/${family === 'IPv4' ? 32 : 128}`) : []
  return unique([...cidrs.map((cidr) => cidr.text), ...own]).sort()
}

function planPort(
  service: Service,
  port: ServicePort,
  families: readonly FamilyFrontends[],
  endpoints: EndpointsByPort,
  node: NodeContext,
  taken: Set<string>,
): PortPlan {
  const frontends = families.flatMap((family) => {
    const found = endpoints.get(endpointsKey(family.family, port.protocol, port.name)) ?? NO_ENDPOINTS
    return planFrontends(service, port, family, categorizeEndpoints(found, node), taken)
  })
  return { portName: port.name, protocol: port.protocol, port: port.port, frontends: sortByAddress(frontends) }
}

/**
 * The frontends of one port in one family. Where one Service claims a key twice, the first of these kinds has it:
 * source ranges are never lost.
 *
 * @param taken The keys that the Service's ports have claimed so far; added to.
 */
function planFrontends(
  service: Service,
  port: ServicePort,
  family: FamilyFrontends,
  categorized: CategorizedEndpoints,
  taken: Set<string>,
): FrontendPlan[] {
  const { internalTrafficPolicy, externalTrafficPolicy } = service.spec
  const cluster = backendSet(categorized.cluster, 'reject')
  const localPolicy = internalTrafficPolicy === 'Local' || externalTrafficPolicy === 'Local'
  const local = localPolicy ? backendSet(categorized.local, categorized.hasAny ? 'drop' : 'reject') : cluster
  const internal = internalTrafficPolicy === 'Local' ? local : cluster
  const external = externalTrafficPolicy === 'Local' ? local : cluster

  const frontends: FrontendPlan[] = []
  const add = (
    kind: FrontendKind,
    address: string,
    number: number,
    sets: Pick<FrontendPlan, 'internal' | 'external'>,
  ) => {
    const key = `${address} ${number} ${port.protocol}`
    if (taken.has(key)) return
    taken.add(key)
    const ranges = kind === 'loadBalancerIP' ? family.sourceRanges : undefined
    const loopback = kind === 'nodePort' && address === LOOPBACK
    frontends.push({ address, port: number, kind, ...sets, loopback, sourceRanges: ranges })
  }
  add('clusterIP', family.clusterIP, port.port, { internal, external: internal })
  // Traffic that starts in the cluster short-circuits an external Local policy: it goes to all endpoints.
  const outside = { internal: cluster, external }
  for (const address of family.loadBalancerIPs) add('loadBalancerIP', address, port.port, outside)
  for (const address of family.externalIPs) add('externalIP', address, port.port, outside)
  if (port.nodePort > 0)
    for (const address of family.nodePortAddresses) add('nodePort', address, port.nodePort, outside)
  return frontends
}

function backendSet(endpoints: readonly Endpoint[], empty: BackendSetPlan['empty']): BackendSetPlan {
  return {
    backends: sortByAddress(endpoints.map(({ address, port, local }): BackendPlan => ({ address, port, local }))),
    empty,
  }
}

function sortByAddress<T extends { readonly address: string; readonly port: number }>(items: readonly T[]): T[] {
  if (items.length < 2) return [...items]
  const keyed = items.map((item) => ({ item, key: addressKey(item.address) }))
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.item.port - b.item.port))
  return keyed.map(({ item }) => item)
}

/** By distinct address; a dual-stack pod has one in each family, so the families are not added up. */
function countLocalReady(endpoints: EndpointsByPort): number {
  const addresses = { IPv4: new Set<string>(), IPv6: new Set<string>() }
  for (const list of endpoints.values()) {
    for (const { address, local, ready } of list) if (local && ready) addresses[familyOf(address)].add(address)
  }
  return Math.max(addresses.IPv4.size, addresses.IPv6.size)
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}
