// SPDX-License-Identifier: Apache-2.0
/** Leaves of an object what is read on a node: kept for every Service of a cluster, the rest would be most of the memory. */
import { defined } from '../../model/fields.ts'
import type { ModelKind, ModelObject } from '../../model/normalize.ts'
import type { EndpointSlice, Metadata, SliceEndpoint } from '../../model/types.ts'

/** When the change began that a slice's newest version tells of: what kubeproxy_network_programming_duration_seconds counts from. */
const LAST_CHANGE_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time'

/**
 * Without annotations that nobody reads (`last-applied-configuration` is as large as the object), without the resource
 * version (two versions that differ in nothing else are equal), and slices without what only DNS asks for.
 */
export function trim<K extends ModelKind>(kind: K, object: ModelObject<K>): ModelObject<K> {
  const metadata = trimMetadata(object.metadata)
  if (kind !== 'EndpointSlice') return { ...object, metadata }
  const slice = object as EndpointSlice
  return { ...slice, metadata, endpoints: slice.endpoints.map(trimEndpoint) } as ModelObject<K>
}

function trimMetadata(metadata: Metadata): Metadata {
  const lastChange = metadata.annotations?.[LAST_CHANGE_ANNOTATION]
  return defined<Metadata>({
    name: metadata.name,
    namespace: metadata.namespace,
    uid: metadata.uid,
    creationTimestamp: metadata.creationTimestamp,
    labels: metadata.labels,
    annotations: lastChange === undefined ? undefined : { [LAST_CHANGE_ANNOTATION]: lastChange },
    deletionTimestamp: metadata.deletionTimestamp,
  })
}

function trimEndpoint(endpoint: SliceEndpoint): SliceEndpoint {
  return defined<SliceEndpoint>({
    addresses: endpoint.addresses,
    conditions: endpoint.conditions,
    nodeName: endpoint.nodeName === undefined ? undefined : shared(endpoint.nodeName),
    zone: endpoint.zone === undefined ? undefined : shared(endpoint.zone),
    hints: endpoint.hints,
  })
}

/** Names of nodes and zones, each once: a parser makes a new string for every endpoint. */
const names = new Map<string, string>()
const MAX_NAMES = 20_000

function shared(name: string): string {
  const known = names.get(name)
  if (known !== undefined) return known
  // Nodes come and go.
  if (names.size >= MAX_NAMES) names.clear()
  names.set(name, name)
  return name
}
