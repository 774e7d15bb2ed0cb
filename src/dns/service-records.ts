// SPDX-License-Identifier: Apache-2.0
/** The records of one Service: Kubernetes DNS-Based Service Discovery 1.1.0, sections 2.3 to 2.5. */

import { canonicalAddress } from '../model/ip.ts'
import type { EndpointSlice, Service, SliceEndpoint } from '../model/types.ts'
import { addressLabel, canonicalName, isLabel, isName, reverseName } from './names.ts'
import { addressRecord, nameRecord, srvRecord, type ZoneRecord } from './zone-record.ts'

/**
 * @param slices The Service's own.
 * @param domain Canonical, `cluster.local`.
 */
export function serviceRecords(service: Service, slices: readonly EndpointSlice[], domain: string): ZoneRecord[] {
  const { spec, metadata } = service
  const name = `${metadata.name}.${metadata.namespace}.svc.${domain}`
  if (spec.type === 'ExternalName') return externalNameRecords(name, spec.externalName ?? '')
  if (spec.clusterIPs[0] === 'None') return headlessRecords(name, service, slices)
  return [...clusterIPRecords(name, service), ...namedEndpointRecords(name, service, slices)]
}

/** An address is no name that a CNAME could hold: such a Service has no records. */
function externalNameRecords(name: string, externalName: string): ZoneRecord[] {
  const target = canonicalName(externalName)
  if (!isName(target) || canonicalAddress(target) !== undefined) return []
  return [nameRecord('CNAME', name, target)]
}

function clusterIPRecords(name: string, { spec }: Service): ZoneRecord[] {
  if (spec.clusterIPs.length === 0) return []
  return [
    ...spec.clusterIPs.flatMap((address) => [
      addressRecord(name, address),
      nameRecord('PTR', reverseName(address), name),
    ]),
    ...spec.ports.flatMap((port) => portRecord(name, port, port.port, name)),
  ]
}

function headlessRecords(name: string, service: Service, slices: readonly EndpointSlice[]): ZoneRecord[] {
  return publishedEndpoints(service, slices).flatMap(({ address, hostname, ports }) => {
    const own = `${hostname ?? addressLabel(address)}.${name}`
    return [
      addressRecord(name, address),
      addressRecord(own, address),
      nameRecord('PTR', reverseName(address), own),
      ...ports.flatMap((port) => (port.port === undefined ? [] : portRecord(name, port, port.port, own))),
    ]
  })
}

/** Beyond the specification, as CoreDNS has it: a Pod that was given a hostname has it also below a ClusterIP Service. */
function namedEndpointRecords(name: string, service: Service, slices: readonly EndpointSlice[]): ZoneRecord[] {
  return publishedEndpoints(service, slices).flatMap(({ address, hostname }) =>
    hostname === undefined ? [] : [addressRecord(`${hostname}.${name}`, address)],
  )
}

/** An unnamed port has no SRV record. */
function portRecord(
  name: string,
  port: { readonly name: string; readonly protocol: string },
  number: number,
  target: string,
): ZoneRecord[] {
  const label = `_${canonicalName(port.name)}`
  if (port.name === '' || !isLabel(label)) return []
  return [srvRecord(`${label}._${port.protocol.toLowerCase()}.${name}`, number, target)]
}

interface PublishedEndpoint {
  readonly address: string
  /** A label in lower case. */
  readonly hostname: string | undefined
  readonly ports: EndpointSlice['ports']
}

/** Ready ones; all of them where the Service says so. */
function publishedEndpoints(service: Service, slices: readonly EndpointSlice[]): PublishedEndpoint[] {
  const all = service.spec.publishNotReadyAddresses
  return slices.flatMap(({ addressType, endpoints, ports }) =>
    addressType === 'FQDN'
      ? []
      : endpoints
          .filter(({ conditions }) => all || (conditions.ready ?? true))
          .flatMap((endpoint) =>
            endpoint.addresses.map((address) => ({ address, hostname: hostnameOf(endpoint), ports })),
          ),
  )
}

function hostnameOf({ hostname }: SliceEndpoint): string | undefined {
  return hostname !== undefined && isLabel(hostname) ? canonicalName(hostname) : undefined
}
