// SPDX-License-Identifier: Apache-2.0
/** The endpoints that a Service's slices give to each of its ports: matched by port name and protocol, merged, by family. */
import type { Endpoint } from './categorize-endpoints.ts'
import { familyOf } from './ip.ts'
import type { EndpointSlice, IpFamily, NodeContext, Protocol, SliceEndpoint } from './types.ts'

/** On a slice of a headless Service: no proxy reads it. */
export const HEADLESS_LABEL = 'service.kubernetes.io/headless'

const NO_HINTS: readonly string[] = []

/** Endpoints by {@link endpointsKey}; order is that of the slices' names. */
export type EndpointsByPort = ReadonlyMap<string, readonly Endpoint[]>

export function endpointsKey(family: IpFamily, protocol: Protocol, portName: string): string {
  return `${family} ${protocol} ${portName}`
}

/** Reads every slice once. A port without a number and FQDN slices give nothing. */
export function endpointsOfSlices(slices: readonly EndpointSlice[], node: NodeContext): EndpointsByPort {
  const merged = new Map<string, Map<string, Endpoint>>()
  for (const slice of slices) {
    if (slice.addressType === 'FQDN' || slice.metadata.labels?.[HEADLESS_LABEL] !== undefined) continue
    for (const port of slice.ports) {
      if (!port.port) continue
      for (const entry of slice.endpoints) {
        const endpoint = toEndpoint(entry, port.port, node)
        if (!endpoint) continue
        const key = endpointsKey(familyOf(endpoint.address), port.protocol, port.name)
        let endpoints = merged.get(key)
        if (!endpoints) merged.set(key, (endpoints = new Map()))
        merge(endpoints, endpoint)
      }
    }
  }
  return new Map(Array.from(merged, ([key, endpoints]) => [key, [...endpoints.values()]]))
}

/** Endpoints of all ports whose slices carry them more than once: local wins, then the one that serves best. */
function merge(endpoints: Map<string, Endpoint>, endpoint: Endpoint): void {
  const key = `${endpoint.address} ${endpoint.port}`
  const known = endpoints.get(key)
  if (!known || rank(endpoint) > rank(known)) endpoints.set(key, endpoint)
}

function rank(endpoint: Endpoint): number {
  return (endpoint.local ? 4 : 0) + (endpoint.ready ? 2 : 0) + (endpoint.serving ? 1 : 0)
}

/** The addresses of one endpoint are interchangeable by contract: as kube-proxy, the first is taken. */
function toEndpoint(entry: SliceEndpoint, port: number, node: NodeContext): Endpoint | undefined {
  const address = entry.addresses[0]
  if (address === undefined) return undefined
  const ready = entry.conditions.ready ?? true
  return {
    address,
    port,
    local: isLocal(entry.nodeName, address, node),
    ready,
    serving: entry.conditions.serving ?? ready,
    terminating: entry.conditions.terminating ?? false,
    nodeHints: entry.hints?.forNodes?.map((hint) => hint.name) ?? NO_HINTS,
    zoneHints: entry.hints?.forZones?.map((hint) => hint.name) ?? NO_HINTS,
  }
}

/** By node name; an endpoint written by hand may have none, and then an address of this node tells. */
function isLocal(nodeName: string | undefined, address: string, node: NodeContext): boolean {
  return nodeName === undefined ? node.nodeAddresses.includes(address) : nodeName === node.nodeName
}
