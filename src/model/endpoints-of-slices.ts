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
  const byPort = new Map<string, Map<number, Map<string, Endpoint>>>()
  for (const slice of slices) {
    if (slice.addressType === 'FQDN' || slice.metadata.labels?.[HEADLESS_LABEL] !== undefined) continue
    for (const port of slice.ports) {
      if (!port.port) continue
      const byNumber = entryOf(
        byPort,
        endpointsKey(slice.addressType, port.protocol, port.name),
        newMap<number, Map<string, Endpoint>>,
      )
      const merged = entryOf(byNumber, port.port, newMap<string, Endpoint>)
      for (const entry of slice.endpoints) merge(merged, toEndpoint(entry, port.port, slice.addressType, node))
    }
  }
  return new Map(
    Array.from(byPort, ([key, byNumber]) => [key, [...byNumber.values()].flatMap((merged) => [...merged.values()])]),
  )
}

function newMap<K, V>(): Map<K, V> {
  return new Map()
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

/** An endpoint that slices carry more than once: local wins, then the one that serves best. */
function merge(merged: Map<string, Endpoint>, endpoint: Endpoint | undefined): void {
  if (!endpoint) return
  const known = merged.get(endpoint.address)
  if (!known || rank(endpoint) > rank(known)) merged.set(endpoint.address, endpoint)
}

function rank(endpoint: Endpoint): number {
  return (endpoint.local ? 4 : 0) + (endpoint.ready ? 2 : 0) + (endpoint.serving ? 1 : 0)
}

/** The addresses of one endpoint are interchangeable by contract: as kube-proxy, the first is taken. */
function toEndpoint(entry: SliceEndpoint, port: number, family: IpFamily, node: NodeContext): Endpoint | undefined {
  const address = entry.addresses[0]
  if (address === undefined || familyOf(address) !== family) return undefined
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
