// SPDX-License-Identifier: Apache-2.0
/** Completes Services as an API server would: ClusterIPs, NodePorts, health check ports. What a Service says stands. */
import { familyOf, parseCidr } from '../../model/ip.ts'
import type { ObjectError, Service, ServicePort } from '../../model/types.ts'
import { ClusterIPPool } from './allocate-cluster-ips.ts'
import { type Allocation, type Allocations, NO_ALLOCATION, nodePortKey } from './allocations.ts'
import { serviceFamilies } from './ip-families.ts'
import { NumberPool } from './number-pool.ts'

/** kube-apiserver's --service-node-port-range, and how many of it people pick by hand (KEP-3668). */
export const DEFAULT_NODE_PORT_RANGE = { min: 30_000, max: 32_767 }
const STATIC_NODE_PORTS = 86

/** kubeadm's range for IPv4, and one of the same look for IPv6. */
export const DEFAULT_SERVICE_CIDRS: readonly string[] = ['10.96.0.0/16', 'fd00:10:96::/112']

export interface AllocateOptions {
  /** CIDRs; the first one's family is the cluster's primary. */
  readonly serviceCidrs: readonly string[]
  /** Inclusive. */
  readonly nodePortRange: { readonly min: number; readonly max: number }
  /** What Services had before: they keep it. */
  readonly previous: Allocations
}

/** `source` is left for the caller to fill in. */
export type AllocateError = Omit<ObjectError, 'source'>

/**
 * Pure: the same Services and the same past give the same numbers on every node. A Service that needs nothing stays the
 * same object.
 */
export function allocateServices(
  services: ReadonlyMap<string, Service>,
  options: AllocateOptions,
): { readonly services: ReadonlyMap<string, Service>; readonly errors: readonly AllocateError[] } {
  const errors: AllocateError[] = []
  const allocator = new Allocator(options)
  const byAge = Array.from(services).sort(byPrecedence)
  // First what is asked for, then what was given before, then what is new.
  for (const [key, service] of byAge) errors.push(...allocator.reserve(key, service))
  const kept = new Map(
    byAge.map(([key, service]) => [key, allocator.keep(service, options.previous[key] ?? NO_ALLOCATION)]),
  )
  const byName = Array.from(services).sort(([a], [b]) => (a < b ? -1 : 1))
  const completed = new Map<string, Service>()
  for (const [key, service] of byName) {
    const result = allocator.complete(key, service, kept.get(key) ?? NO_ALLOCATION)
    errors.push(...result.errors)
    completed.set(key, result.service)
  }
  return { services: new Map(Array.from(services, ([key, service]) => [key, completed.get(key) ?? service])), errors }
}

class Allocator {
  readonly #clusterIPs: ClusterIPPool
  readonly #owners = new Map<string, string>()
  readonly #firstNodePort: number
  /** By protocol: one number may serve TCP and UDP. */
  readonly #nodePorts: Readonly<Record<ServicePort['protocol'], NumberPool>>

  constructor({ serviceCidrs, nodePortRange }: AllocateOptions) {
    this.#clusterIPs = new ClusterIPPool(serviceCidrs.map(readCidr))
    this.#firstNodePort = nodePortRange.min
    const size = nodePortRange.max - nodePortRange.min + 1
    const open = () => new NumberPool(size, Math.min(STATIC_NODE_PORTS, Math.floor(size / 2)))
    this.#nodePorts = { TCP: open(), UDP: open(), SCTP: open() }
  }

  /** Marks what the Service itself asks for. An address that an older one asks for too is an error, and stands. */
  reserve(key: string, { spec }: Service): AllocateError[] {
    const errors: AllocateError[] = []
    for (const [index, address] of spec.clusterIPs.entries()) {
      if (address === 'None') continue
      const owner = this.#owners.get(address)
      if (owner === undefined) this.#owners.set(address, key)
      else
        errors.push(fault(key, `spec.clusterIPs[${index}]`, `${address} belongs to Service ${owner}, which is older`))
      this.#clusterIPs.take(address)
    }
    for (const port of spec.ports)
      if (port.nodePort > 0) this.#nodePorts[port.protocol].take(port.nodePort - this.#firstNodePort)
    if (spec.healthCheckNodePort > 0) this.#nodePorts.TCP.take(spec.healthCheckNodePort - this.#firstNodePort)
    return errors
  }

  /** Marks what the Service had before and still needs; returns it. */
  keep(service: Service, before: Allocation): Allocation {
    const families = clusterIPFamilies(service, this.#clusterIPs.families)
    const clusterIPs = families.flatMap((family) => {
      if (service.spec.clusterIPs.some((address) => familyOf(address) === family)) return []
      const address = before.clusterIPs.find((candidate) => familyOf(candidate) === family)
      return address !== undefined && this.#clusterIPs.retake(address) ? [address] : []
    })
    const nodePorts: Record<string, number> = {}
    for (const port of needsNodePorts(service) ? service.spec.ports : []) {
      const number = port.nodePort > 0 ? 0 : (before.nodePorts[nodePortKey(port)] ?? 0)
      if (number > 0 && this.#nodePorts[port.protocol].take(number - this.#firstNodePort))
        nodePorts[nodePortKey(port)] = number
    }
    const health = needsHealthCheckPort(service) ? before.healthCheckNodePort : 0
    const healthCheckNodePort = health > 0 && this.#nodePorts.TCP.take(health - this.#firstNodePort) ? health : 0
    return { clusterIPs, nodePorts, healthCheckNodePort }
  }

  /** Fills in what is still missing. */
  complete(
    key: string,
    service: Service,
    kept: Allocation,
  ): { readonly service: Service; readonly errors: AllocateError[] } {
    const errors: AllocateError[] = []
    const { families, missing } = serviceFamilies(service, this.#clusterIPs.families)
    if (missing) errors.push(fault(key, 'spec.ipFamilyPolicy', 'RequireDualStack needs service CIDRs of both families'))
    const clusterIPs = [...service.spec.clusterIPs]
    for (const family of clusterIPFamilies(service, this.#clusterIPs.families)) {
      if (clusterIPs.some((address) => familyOf(address) === family)) continue
      const before = kept.clusterIPs.find((address) => familyOf(address) === family)
      const address = before ?? this.#clusterIPs.allocate(family, key)
      if (address) clusterIPs.push(address)
      else errors.push(fault(key, 'spec.clusterIPs', `No free ${family} address is left in the service CIDRs`))
    }
    const ports = needsNodePorts(service)
      ? service.spec.ports.map((port) => this.#completePort(key, port, kept, errors))
      : service.spec.ports
    const healthCheckNodePort = needsHealthCheckPort(service)
      ? kept.healthCheckNodePort ||
        this.#nodePort(key, 'TCP', `${key} health check`, 'spec.healthCheckNodePort', errors)
      : service.spec.healthCheckNodePort
    const same =
      clusterIPs.length === service.spec.clusterIPs.length &&
      ports.every((port, index) => port === service.spec.ports[index]) &&
      healthCheckNodePort === service.spec.healthCheckNodePort
    if (same) return { service, errors }
    return {
      service: { ...service, spec: { ...service.spec, ipFamilies: families, clusterIPs, ports, healthCheckNodePort } },
      errors,
    }
  }

  #completePort(key: string, port: ServicePort, kept: Allocation, errors: AllocateError[]): ServicePort {
    if (port.nodePort > 0) return port
    // The protocol is no part of who asks: port 53 gets one number for TCP and UDP where it can.
    const nodePort =
      kept.nodePorts[nodePortKey(port)] ??
      this.#nodePort(key, port.protocol, `${key} ${port.port}`, 'spec.ports', errors)
    return nodePort === 0 ? port : { ...port, nodePort }
  }

  #nodePort(
    key: string,
    protocol: ServicePort['protocol'],
    asker: string,
    field: string,
    errors: AllocateError[],
  ): number {
    const offset = this.#nodePorts[protocol].allocate(asker)
    if (offset !== undefined) return this.#firstNodePort + offset
    errors.push(fault(key, field, `No free ${protocol} port is left in the NodePort range`))
    return 0
  }
}

function readCidr(text: string) {
  const cidr = parseCidr(text)
  if (!cidr) throw new TypeError(`Service CIDRs: expected a CIDR, got '${text}'`)
  return cidr
}

/** Families in which a ClusterIP is due. An address given by hand is completed only where dual-stack is asked for. */
function clusterIPFamilies(service: Service, available: ClusterIPPool['families']): ClusterIPPool['families'] {
  if (service.spec.type === 'ExternalName' || service.spec.clusterIPs[0] === 'None') return []
  return serviceFamilies(service, available).families
}

function needsNodePorts({ spec }: Service): boolean {
  if (spec.clusterIPs[0] === 'None') return false
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)
}

function needsHealthCheckPort({ spec }: Service): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local' && spec.healthCheckNodePort === 0
}

function fault(key: string, field: string, message: string): AllocateError {
  return { object: `Service ${key}`, field, message }
}

/** The older first, those without a time last, then by name. */
function byPrecedence([aKey, a]: [string, Service], [bKey, b]: [string, Service]): number {
  const [aTime, bTime] = [a, b].map(({ metadata }) =>
    metadata.creationTimestamp ? Date.parse(metadata.creationTimestamp) : Infinity,
  )
  if (aTime !== bTime) return (aTime ?? 0) < (bTime ?? 0) ? -1 : 1
  return aKey < bKey ? -1 : 1
}
