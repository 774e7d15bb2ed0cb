// SPDX-License-Identifier: Apache-2.0
/**
 * What a client must get of a cluster's Services, worked out from the objects as they are written: a second opinion on
 * model, compiler and programs together. Nothing is indexed, nothing is remembered; every question walks all objects.
 */

import { formatAddress, parseAddress } from '../abi/address.ts'
import { cidrContains, parseCidr } from '../abi/cidr.ts'

export interface Cluster {
  /** Manifests as an API server would show them. */
  readonly services: readonly RawService[]
  readonly slices: readonly RawSlice[]
}

/** The fields that matter, absent where the manifest leaves them out. */
export interface RawService {
  readonly metadata: {
    readonly namespace: string
    readonly name: string
    readonly creationTimestamp?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly spec: {
    readonly type?: string
    readonly clusterIPs?: readonly string[]
    readonly ports?: readonly RawServicePort[]
    readonly externalIPs?: readonly string[]
    readonly externalTrafficPolicy?: string
    readonly internalTrafficPolicy?: string
    readonly loadBalancerSourceRanges?: readonly string[]
    readonly sessionAffinity?: string
  }
  readonly status?: {
    readonly loadBalancer: { readonly ingress: readonly { readonly ip: string; readonly ipMode?: string }[] }
  }
}

export interface RawServicePort {
  readonly name?: string
  readonly protocol?: string
  readonly port: number
  readonly nodePort?: number
}

export interface RawSlice {
  readonly metadata: {
    readonly namespace: string
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
  }
  readonly addressType: string
  readonly ports: readonly { readonly name?: string; readonly protocol?: string; readonly port?: number }[]
  readonly endpoints: readonly RawEndpoint[]
}

export interface RawEndpoint {
  readonly addresses: readonly string[]
  readonly nodeName?: string
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }
  readonly hints?: {
    readonly forNodes?: readonly { readonly name: string }[]
    readonly forZones?: readonly { readonly name: string }[]
  }
}

/** Where the question is asked. */
export interface NodePlace {
  readonly name: string
  readonly zone: string
  /** Addresses that NodePorts answer on, 127.0.0.1 among them where it does. */
  readonly nodePortAddresses: readonly string[]
  readonly primaryAddresses: readonly string[]
  /** detectLocalMode ClusterCIDR; undefined: no detector. */
  readonly clusterCidrs: readonly string[] | undefined
  readonly masqueradeAll: boolean
}

export interface Question {
  readonly from: 'pod' | 'host' | 'external'
  readonly client: string
  readonly address: string
  readonly port: number
  readonly protocol: string
}

export type FrontendKind = 'clusterIP' | 'loadBalancerIP' | 'externalIP' | 'nodePort'

export interface Answer {
  readonly verdict: 'forward' | 'reject' | 'drop' | 'pass'
  /** `namespace/name`. */
  readonly service: string | undefined
  readonly kind: FrontendKind | undefined
  /** `10.0.0.1:80`, sorted. */
  readonly candidates: readonly string[]
  /** Whether the client's address is replaced on the way to a candidate. */
  readonly masquerades: (candidate: string) => boolean
  readonly affinity: boolean
}

interface Endpoint {
  readonly name: string
  readonly local: boolean
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly nodes: readonly string[]
  readonly zones: readonly string[]
}

interface Claim {
  readonly service: RawService
  readonly port: RawServicePort
  readonly kind: FrontendKind
}

export function judgeService(cluster: Cluster, node: NodePlace, question: Question): Answer {
  const claim = claimOf(cluster, node, question)
  if (!claim) {
    // An unknown port on a ClusterIP is refused; other addresses have ports of their own.
    const owned = cluster.services.some(
      (service) => isProxied(service) && clusterIps(service).includes(question.address),
    )
    return answer(owned ? 'reject' : 'pass', undefined)
  }
  const { service, port, kind } = claim
  if (kind === 'nodePort' && question.address === '127.0.0.1' && question.from !== 'host')
    return answer('pass', undefined)
  if (kind === 'loadBalancerIP' && !isAllowed(service, node, question)) return answer('drop', claim)
  const endpoints = endpointsOf(cluster, service, port, question.address, node)
  const everywhere = usable(endpoints)
  const localPolicy =
    kind === 'clusterIP'
      ? service.spec.internalTrafficPolicy === 'Local'
      : service.spec.externalTrafficPolicy === 'Local' && !isInternal(node, question)
  const set = localPolicy ? usable(endpoints.filter(({ local }) => local)) : narrowed(everywhere, node)
  if (set.length === 0) return answer(localPolicy && everywhere.length > 0 ? 'drop' : 'reject', claim)
  const byName = new Map(set.map((endpoint) => [endpoint.name, endpoint]))
  return {
    ...answer('forward', claim),
    candidates: [...byName.keys()].sort(),
    masquerades: (candidate) => masquerades(claim, node, question, byName.get(candidate)!),
  }
}

function answer(verdict: Answer['verdict'], claim: Claim | undefined): Answer {
  const { namespace, name } = claim?.service.metadata ?? { namespace: '', name: '' }
  return {
    verdict,
    service: claim && `${namespace}/${name}`,
    kind: claim?.kind,
    candidates: [],
    masquerades: () => false,
    affinity: claim?.service.spec.sessionAffinity === 'ClientIP',
  }
}

function isProxied({ metadata, spec }: RawService): boolean {
  return (
    spec.type !== 'ExternalName' &&
    spec.clusterIPs !== undefined &&
    spec.clusterIPs.length > 0 &&
    spec.clusterIPs[0] !== 'None' &&
    metadata.labels?.['service.kubernetes.io/service-proxy-name'] === undefined
  )
}

function clusterIps(service: RawService): readonly string[] {
  return (service.spec.clusterIPs ?? []).map(canonical)
}

/** The one that has an address and port: of several Services the oldest, of one Service the first kind. */
function claimOf(cluster: Cluster, node: NodePlace, question: Question): Claim | undefined {
  const claims = cluster.services.filter(isProxied).flatMap((service) => claimsOf(service, node, question).slice(0, 1))
  return claims.reduce<Claim | undefined>(
    (best, claim) => (best && !isOlder(claim.service, best.service) ? best : claim),
    undefined,
  )
}

function isOlder(a: RawService, b: RawService): boolean {
  const age = (service: RawService) =>
    service.metadata.creationTimestamp ? Date.parse(service.metadata.creationTimestamp) : Number.MAX_SAFE_INTEGER
  const name = ({ metadata }: RawService) => `${metadata.namespace}/${metadata.name}`
  return age(a) === age(b) ? name(a) < name(b) : age(a) < age(b)
}

function claimsOf(service: RawService, node: NodePlace, { address, port: wanted, protocol }: Question): Claim[] {
  // A Service has frontends in the families of its ClusterIPs alone.
  if (!clusterIps(service).some((own) => isIpv6(own) === isIpv6(address))) return []
  const ingress = service.status?.loadBalancer.ingress
    .filter(({ ipMode }) => ipMode !== 'Proxy')
    .map(({ ip }) => canonical(ip))
  return (service.spec.ports ?? []).flatMap((port) => {
    if ((port.protocol ?? 'TCP') !== protocol) return []
    const kinds: FrontendKind[] = []
    if (port.port === wanted && clusterIps(service).includes(address)) kinds.push('clusterIP')
    if (port.port === wanted && ingress?.includes(address)) kinds.push('loadBalancerIP')
    if (port.port === wanted && service.spec.externalIPs?.map(canonical).includes(address)) kinds.push('externalIP')
    if (port.nodePort === wanted && node.nodePortAddresses.includes(address)) kinds.push('nodePort')
    return kinds.map((kind) => ({ service, port, kind }))
  })
}

function isAllowed({ spec, status }: RawService, node: NodePlace, { client, address }: Question): boolean {
  const ranges = (spec.loadBalancerSourceRanges ?? []).map(parseCidr)
  // Ranges of one family say nothing of the other.
  const own = ranges.filter((_, index) => isIpv6(spec.loadBalancerSourceRanges![index]!) === isIpv6(address))
  if (own.length === 0) return true
  const holds = (text: string) => own.some((range) => cidrContains(range, parseAddress(text)))
  if (holds(client)) return true
  const balancers =
    status?.loadBalancer.ingress.filter(({ ipMode }) => ipMode !== 'Proxy').map(({ ip }) => canonical(ip)) ?? []
  return (
    balancers.includes(client) &&
    node.primaryAddresses.some((primary) => isIpv6(primary) === isIpv6(address) && holds(primary))
  )
}

function isInternal({ clusterCidrs }: NodePlace, { from, client }: Question): boolean {
  if (from === 'host') return true
  return clusterCidrs?.some((cidr) => cidrContains(parseCidr(cidr), parseAddress(client))) ?? false
}

/** By port name and protocol; the same address and port twice is one endpoint, local if either is. */
function endpointsOf(
  { slices }: Cluster,
  { metadata }: RawService,
  { name: portName = '', protocol = 'TCP' }: RawServicePort,
  address: string,
  node: NodePlace,
): Endpoint[] {
  const found = new Map<string, Endpoint>()
  for (const slice of slices) {
    const { labels, namespace } = slice.metadata
    if (namespace !== metadata.namespace || labels['kubernetes.io/service-name'] !== metadata.name) continue
    if (labels['service.kubernetes.io/headless'] !== undefined) continue
    if (slice.addressType !== (isIpv6(address) ? 'IPv6' : 'IPv4')) continue
    for (const port of slice.ports) {
      if ((port.name ?? '') !== portName || (port.protocol ?? 'TCP') !== protocol || port.port === undefined) continue
      for (const raw of slice.endpoints) {
        const endpoint = readEndpoint(raw, port.port, node)
        const known = found.get(endpoint.name)
        if (!known || (endpoint.local && !known.local)) found.set(endpoint.name, endpoint)
      }
    }
  }
  return [...found.values()]
}

function readEndpoint(
  { addresses, nodeName, conditions = {}, hints = {} }: RawEndpoint,
  port: number,
  node: NodePlace,
): Endpoint {
  const address = canonical(addresses[0]!)
  const ready = conditions.ready ?? true
  return {
    name: isIpv6(address) ? `[${address}]:${port}` : `${address}:${port}`,
    local: nodeName === node.name,
    ready,
    serving: conditions.serving ?? ready,
    terminating: conditions.terminating ?? false,
    nodes: (hints.forNodes ?? []).map(({ name }) => name),
    zones: (hints.forZones ?? []).map(({ name }) => name),
  }
}

/** KEP-1669: those that are ready; without any, those that still serve while they terminate. */
function usable(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready)
  return ready.length > 0 ? ready : endpoints.filter(({ serving, terminating }) => serving && terminating)
}

/** KEP-2433, 4444: hints count when every ready endpoint has them and one is meant for here. */
function narrowed(endpoints: readonly Endpoint[], { name, zone }: NodePlace): readonly Endpoint[] {
  if (!endpoints.every(({ ready }) => ready)) return endpoints
  for (const [hintsOf, own] of [
    [(endpoint: Endpoint) => endpoint.nodes, name],
    [(endpoint: Endpoint) => endpoint.zones, zone],
  ] as const) {
    const meant = endpoints.filter((endpoint) => hintsOf(endpoint).includes(own))
    if (endpoints.every((endpoint) => hintsOf(endpoint).length > 0) && meant.length > 0) return meant
  }
  return endpoints
}

/** Where the reply would not come back through this node, or where it is asked for. */
function masquerades(
  { service, kind }: Claim,
  node: NodePlace,
  { from, client }: Question,
  backend: Endpoint,
): boolean {
  if (from === 'host') return false
  if (backend.name.startsWith(isIpv6(client) ? `[${client}]:` : `${client}:`)) return true
  const keptByPolicy = kind !== 'clusterIP' && service.spec.externalTrafficPolicy === 'Local'
  if (node.masqueradeAll && !keptByPolicy) return true
  return from === 'external' && !backend.local
}

function isIpv6(address: string): boolean {
  return address.includes(':')
}

function canonical(text: string): string {
  return text === 'None' || text === '' ? text : formatAddress(parseAddress(text))
}
