// SPDX-License-Identifier: Apache-2.0
/** `kubectl get endpoints`: what the endpoints controller would write of a Service's slices. */

import { SERVICE_NAME_LABEL, serviceKeyOfSlice } from '../../model/slice-index.ts'
import type { EndpointSlice, Metadata } from '../../model/types.ts'
import type { Manifests } from '../../source/derive-objects.ts'
import { ageOf } from './age.ts'
import { hostPort, type KubectlView, shortList } from './kubectl-view.ts'

/** The slices of a Service in its first family: Endpoints know no other. */
interface ServiceEndpoints {
  readonly metadata: Metadata
  readonly slices: readonly EndpointSlice[]
}

export const endpointsView: KubectlView<ServiceEndpoints> = {
  apiVersion: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  objects: serviceEndpoints,
  columns: [
    { title: 'NAME', cell: ({ metadata }) => metadata.name },
    { title: 'ENDPOINTS', cell: ({ slices }) => endpointList(slices) },
    { title: 'AGE', cell: ({ metadata }, { nowMs }) => ageOf(metadata, nowMs) },
  ],
}

/** `10.0.0.1:80,10.0.0.2:80`: the ready endpoints of one port's name, slice by slice; bare addresses where a slice has no port. */
export function readyEndpoints(slices: readonly EndpointSlice[], portName: string): string {
  const items = slices.flatMap((slice) => {
    const addresses = readyAddresses(slice)
    if (slice.ports.length === 0) return addresses
    const shown = slice.ports.filter(({ name }) => name === portName)
    return shown.flatMap(({ port = 0 }) => addresses.map((address) => hostPort(address, port)))
  })
  return shortList(items)
}

/** Port by port, over all slices. */
function endpointList(slices: readonly EndpointSlice[]): string {
  if (slices.every(({ endpoints }) => endpoints.length === 0)) return '<none>'
  const byPort = new Map<string, string[]>()
  for (const slice of slices) {
    const addresses = readyAddresses(slice)
    if (slice.ports.length === 0) append(byPort, '', addresses)
    for (const { name, protocol, port = 0 } of slice.ports) {
      const endpoints = addresses.map((address) => hostPort(address, port))
      append(byPort, `${name} ${protocol}`, endpoints)
    }
  }
  return shortList([...byPort.values()].flat())
}

function append(lists: Map<string, string[]>, key: string, items: readonly string[]): void {
  lists.set(key, [...(lists.get(key) ?? []), ...items])
}

/** Of the addresses of one endpoint, which are interchangeable, the first. */
function readyAddresses({ endpoints }: EndpointSlice): string[] {
  const ready = endpoints.filter(({ conditions }) => conditions.ready ?? true)
  return ready.flatMap(({ addresses: [first] }) => first ?? [])
}

function serviceEndpoints({ objects }: Manifests): ServiceEndpoints[] {
  return [...objects.services.values()].flatMap(({ metadata, spec }) => {
    const slices = slicesOf(objects.endpointSlices.values(), metadata)
    // Nobody makes Endpoints of a Service without a selector but a person.
    if (spec.type === 'ExternalName' || (spec.selector === undefined && slices.length === 0)) return []
    const family = spec.ipFamilies?.[0] ?? slices[0]?.addressType
    return [{ metadata, slices: slices.filter(({ addressType }) => addressType === family) }]
  })
}

/** A Service's slices by their names. */
export function slicesOf(slices: Iterable<EndpointSlice>, { namespace, name }: Metadata): EndpointSlice[] {
  const key = `${namespace}/${name}`
  const own = [...slices].filter(
    (slice) => slice.metadata.labels?.[SERVICE_NAME_LABEL] && serviceKeyOfSlice(slice) === key,
  )
  return own.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
}
