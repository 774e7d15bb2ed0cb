// SPDX-License-Identifier: Apache-2.0
/** Small clusters in which everything meets: few addresses, few ports, every policy. */

import type {
  Cluster,
  RawEndpoint,
  RawService,
  RawServicePort,
  RawSlice,
} from '../../../src/reference/judge-service.ts'
import { here, there } from '../../bpf/support/objects.ts'
import { nodeIp4, nodeIp6 } from '../../bpf/support/test-node.ts'
import type { Random } from '../random.ts'

const clusterIps = { IPv4: ['10.96.0.1', '10.96.0.2', '10.96.0.3'], IPv6: ['fd00:96::1', 'fd00:96::2', 'fd00:96::3'] }
/** One of them is somebody's ClusterIP at times, one the node's. */
const outsideIps = ['198.51.100.1', '2001:db8:b::1', '198.51.100.2', '10.96.0.3', nodeIp4, nodeIp6, 'fd00:96::3']
const podsHere = { IPv4: ['10.1.0.1', '10.1.0.2', '10.1.0.3'], IPv6: ['fd00:10:1::1', 'fd00:10:1::2', 'fd00:10:1::3'] }
const podsThere = { IPv4: ['10.2.0.1', '10.2.0.2', '10.2.0.3'], IPv6: ['fd00:10:2::1', 'fd00:10:2::2', 'fd00:10:2::3'] }
const protocols = ['TCP', 'TCP', 'UDP', 'SCTP'] as const
export const servicePorts = [80, 443, 8080]
export const nodePorts = [30_080, 30_081, 80]
const ranges = [
  '203.0.113.0/30',
  ' 192.168.0.0/24',
  '10.0.0.0/8',
  '2001:db8:c::/126',
  'fd00::/8',
  '0.0.0.0/0',
  '10.1.0.1/32',
]
const zones = ['z1', 'z2']

export const addresses = [...clusterIps.IPv4, ...clusterIps.IPv6, ...outsideIps, '127.0.0.1', '198.51.100.9']
export const clients = {
  pod: [...podsHere.IPv4, ...podsHere.IPv6],
  host: [nodeIp4, nodeIp6],
  external: [
    '203.0.113.1',
    '203.0.113.9',
    '2001:db8:c::1',
    '2001:db8:c::9',
    ...podsThere.IPv4,
    ...podsThere.IPv6,
    '198.51.100.1',
  ],
} as const

type Family = 'IPv4' | 'IPv6'

export function randomCluster(random: Random): Cluster {
  const services = Array.from({ length: random.between(1, 4) }, (_, index) => randomService(random, index))
  return { services, slices: services.flatMap((service) => randomSlices(random, service)) }
}

function randomService(random: Random, index: number): RawService {
  const headless = random.chance(0.05)
  const external = random.chance(0.03)
  const families = random.pick([['IPv4'], ['IPv6'], ['IPv4', 'IPv6'], ['IPv6', 'IPv4']] as const)
  const maybe = <T>(probability: number, value: T): T | undefined => (random.chance(probability) ? value : undefined)
  const policy = () => random.pick(['Cluster', 'Local', undefined])
  return stripped({
    metadata: stripped({
      namespace: random.pick(['a', 'b']),
      name: `s${index}`,
      creationTimestamp: random.pick(['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', undefined]),
      labels: maybe(0.04, { 'service.kubernetes.io/service-proxy-name': 'another' }),
    }),
    spec: stripped({
      type: external ? 'ExternalName' : random.pick(['ClusterIP', 'NodePort', 'LoadBalancer', undefined]),
      externalName: maybe(external ? 1 : 0, 'example.com'),
      clusterIPs: headless ? ['None'] : families.map((family) => random.pick(clusterIps[family])),
      ports: randomPorts(random),
      externalIPs: maybe(0.4, random.some(outsideIps, 0.3)),
      externalTrafficPolicy: policy(),
      internalTrafficPolicy: policy(),
      loadBalancerSourceRanges: maybe(0.3, random.some(ranges, 0.3)),
      trafficDistribution: maybe(0.2, 'PreferSameZone'),
      ...(random.chance(0.3)
        ? { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } } }
        : {}),
    }),
    status: maybe(0.5, {
      loadBalancer: {
        ingress: random
          .some(outsideIps, 0.3)
          .map((ip) => stripped({ ip, ipMode: random.pick(['VIP', 'VIP', undefined, 'Proxy']) })),
      },
    }),
  })
}

function randomPorts(random: Random): RawServicePort[] {
  const count = random.pick([1, 1, 1, 2, 3])
  const taken = new Set<string>()
  const ports: RawServicePort[] = []
  for (let index = 0; index < count; index++) {
    const protocol = random.pick(protocols)
    const port = random.pick(servicePorts)
    if (taken.has(`${protocol} ${port}`)) continue
    taken.add(`${protocol} ${port}`)
    ports.push(
      stripped({
        name: count > 1 || random.chance(0.5) ? `p${index}` : undefined,
        protocol: protocol === 'TCP' && random.chance(0.5) ? undefined : protocol,
        port,
        nodePort: random.chance(0.6) ? random.pick(nodePorts) : undefined,
      }),
    )
  }
  return ports
}

function randomSlices(random: Random, service: RawService): RawSlice[] {
  const namespace = random.chance(0.95) ? service.metadata.namespace : 'c'
  return Array.from({ length: random.pick([0, 1, 2, 2, 3]) }, (_, index) => {
    const family = random.pick(['IPv4', 'IPv6'] as const)
    const fqdn = random.chance(0.03)
    const labels = {
      'kubernetes.io/service-name': service.metadata.name,
      ...(random.chance(0.03) ? { 'service.kubernetes.io/headless': '' } : {}),
    }
    return {
      metadata: { namespace, name: `${service.metadata.namespace}-${service.metadata.name}-${index}`, labels },
      addressType: fqdn ? 'FQDN' : family,
      ports: (service.spec.ports ?? []).flatMap((port) => slicePorts(random, port)),
      endpoints: fqdn ? [{ addresses: ['example.com'] }] : randomEndpoints(random, family, service),
    }
  })
}

/** Mostly the Service's; sometimes of another name or protocol, without number, or with several. */
function slicePorts(random: Random, { name, protocol }: RawServicePort): RawSlice['ports'] {
  const numbers = random.pick([[8080], [8080], [8080], [9090], [8080, 9090], []])
  return [
    ...numbers.map((port) =>
      stripped({
        name: random.chance(0.95) ? name : 'other',
        protocol: random.chance(0.95) ? protocol : 'UDP',
        port: random.chance(0.97) ? port : undefined,
      }),
    ),
  ]
}

function randomEndpoints(random: Random, family: Family, { spec }: RawService): RawEndpoint[] {
  const hinted = random.chance(0.3)
  const pool = [
    ...podsHere[family].map((address) => ({ address, node: here })),
    ...podsThere[family].map((address) => ({ address, node: there })),
  ]
  return random.some(pool, 0.5).map(({ address, node }) =>
    stripped({
      addresses: [address],
      // Slices of one port may disagree on where an address is: local wins. Ports of a Service share a backend, and
      // where it is: they may not disagree.
      nodeName: spec.ports?.length === 1 && random.chance(0.2) ? undefined : node,
      conditions: conditionsOf(address),
      hints:
        hinted && random.chance(0.9)
          ? stripped({
              forZones: random.chance(0.7) ? random.some(zones, 0.6).map((name) => ({ name })) : undefined,
              forNodes: random.chance(0.5) ? random.some([here, there], 0.6).map((name) => ({ name })) : undefined,
            })
          : undefined,
    }),
  )
}

let epoch = 0
const states = [
  undefined,
  {},
  { ready: true },
  { ready: true, serving: true, terminating: false },
  { ready: false },
  { ready: false, serving: true, terminating: true },
  { ready: false, serving: true, terminating: false },
  { ready: false, serving: false, terminating: true },
]

/** Slices that name an endpoint twice agree on its state: which of two states counts, nobody has promised. */
function conditionsOf(address: string): RawEndpoint['conditions'] {
  const last = Number(address.at(-1))
  return states[(epoch + last * 3 + (address.includes('2.0.') || address.includes('10:2') ? 5 : 0)) % states.length]
}

/** Which state each endpoint has until the next call. */
export function turnStates(random: Random): void {
  epoch = random.below(states.length)
}

function stripped<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never
}
