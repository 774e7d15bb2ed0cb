// SPDX-License-Identifier: Apache-2.0
/** Services with their endpoints, said in a line, as the objects that a cluster would have for them. */

import { normalize } from '../../../src/model/normalize.ts'
import { objectKey } from '../../../src/model/normalize-metadata.ts'
import { SERVICE_NAME_LABEL } from '../../../src/model/slice-index.ts'
import type { EndpointSlice, ObjectSet, Service } from '../../../src/model/types.ts'

/** The node under test, and another one. */
export const here = 'node-a'
export const there = 'node-b'

export interface EndpointSketch {
  readonly address: string
  /** Default: {@link there}. */
  readonly node?: string
  readonly ready?: boolean
  readonly serving?: boolean
  readonly terminating?: boolean
}

export interface PortSketch {
  readonly name?: string
  readonly port: number
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP'
  readonly nodePort?: number
  /** The endpoints' port. Default: 8080. */
  readonly target?: number
}

/** A Service of namespace `default`; what is not said has the API's default. */
export interface ServiceSketch {
  readonly name: string
  readonly clusterIPs: readonly string[]
  /** Default: 80/TCP. */
  readonly ports?: readonly PortSketch[]
  /** Backends that may be written as their address alone: `10.1.0.5` is here, by {@link isHere}. */
  readonly endpoints?: readonly (string | EndpointSketch)[]
  readonly externalIPs?: readonly string[]
  readonly ingress?: readonly string[]
  readonly externalTrafficPolicy?: 'Cluster' | 'Local'
  readonly internalTrafficPolicy?: 'Cluster' | 'Local'
  readonly sourceRanges?: readonly string[]
  readonly affinitySeconds?: number
}

/** Pods of 10.1.0.0/16 and fd00:10:1::/48 are on the node under test. */
export function isHere(address: string): boolean {
  return address.startsWith('10.1.') || address.startsWith('fd00:10:1:')
}

export function objectsOf(sketches: readonly ServiceSketch[]): ObjectSet {
  const services = sketches.map(serviceOf)
  const slices = sketches.flatMap(slicesOf)
  return {
    services: new Map(services.map((service) => [objectKey(service.metadata), service])),
    endpointSlices: new Map(slices.map((slice) => [objectKey(slice.metadata), slice])),
    nodes: new Map(),
    serviceCIDRs: new Map(),
  }
}

function serviceOf(sketch: ServiceSketch): Service {
  const ports = portsOf(sketch)
  const exposed = sketch.ingress !== undefined || ports.some(({ nodePort }) => nodePort !== undefined)
  return read('Service', {
    metadata: { name: sketch.name, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      type: sketch.ingress ? 'LoadBalancer' : exposed ? 'NodePort' : 'ClusterIP',
      clusterIPs: sketch.clusterIPs,
      ports: ports.map(({ target: _, ...port }) => port),
      externalIPs: sketch.externalIPs ?? [],
      externalTrafficPolicy: sketch.externalTrafficPolicy ?? 'Cluster',
      internalTrafficPolicy: sketch.internalTrafficPolicy ?? 'Cluster',
      loadBalancerSourceRanges: sketch.sourceRanges ?? [],
      ...(sketch.affinitySeconds
        ? {
            sessionAffinity: 'ClientIP',
            sessionAffinityConfig: { clientIP: { timeoutSeconds: sketch.affinitySeconds } },
          }
        : {}),
    },
    status: { loadBalancer: { ingress: (sketch.ingress ?? []).map((ip) => ({ ip })) } },
  })
}

function portsOf(sketch: ServiceSketch) {
  const ports = sketch.ports ?? [{ port: 80 }]
  return ports.map((port) => ({
    name: ports.length > 1 ? `p${port.port}-${port.protocol ?? 'TCP'}`.toLowerCase() : '',
    ...port,
  }))
}

/** One slice a family. */
function slicesOf(sketch: ServiceSketch): EndpointSlice[] {
  const endpoints = (sketch.endpoints ?? []).map(
    (entry): EndpointSketch =>
      typeof entry === 'string' ? { address: entry, node: isHere(entry) ? here : there } : entry,
  )
  return (['IPv4', 'IPv6'] as const).flatMap((family) => {
    const own = endpoints.filter(({ address }) => address.includes(':') === (family === 'IPv6'))
    if (own.length === 0) return []
    return read('EndpointSlice', {
      metadata: { name: `${sketch.name}-${family.toLowerCase()}`, labels: { [SERVICE_NAME_LABEL]: sketch.name } },
      addressType: family,
      ports: portsOf(sketch).map(({ name, protocol, target }) => ({ name, protocol, port: target ?? 8080 })),
      endpoints: own.map(({ address, node, ...conditions }) => ({
        addresses: [address],
        nodeName: node ?? there,
        conditions,
      })),
    })
  })
}

function read<K extends 'Service' | 'EndpointSlice'>(kind: K, raw: unknown) {
  const { object, error } = normalize(kind, raw, 'test')
  if (error) throw new Error(`${error.object}: ${error.field}: ${error.message}`)
  return object
}
