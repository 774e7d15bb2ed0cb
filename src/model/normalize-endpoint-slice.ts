// SPDX-License-Identifier: Apache-2.0
/** A raw discovery.k8s.io/v1 EndpointSlice, checked, defaulted and trimmed. */
import { defined, type Fields } from './fields.ts'
import { canonicalAddress, familyOf } from './ip.ts'
import { normalizeMetadata } from './normalize-metadata.ts'
import type { EndpointSlice, SliceEndpoint } from './types.ts'

/** Throws FieldError. */
export function normalizeEndpointSlice(object: Fields): EndpointSlice {
  const metadata = normalizeMetadata(object, 'Namespaced', 'subdomain')
  const addressType =
    object.oneOf('addressType', ['IPv4', 'IPv6', 'FQDN'] as const) ??
    object.fail('addressType', 'Required value is missing')
  return {
    metadata,
    addressType,
    endpoints: object.objects('endpoints').map((entry) => readEndpoint(entry, addressType)),
    ports: object.objects('ports').map((entry) =>
      defined<EndpointSlice['ports'][number]>({
        name: entry.string('name') ?? '',
        protocol: entry.oneOf('protocol', ['TCP', 'UDP', 'SCTP'] as const) ?? 'TCP',
        port: entry.integer('port', 0, 65_535) || undefined,
        appProtocol: entry.string('appProtocol'),
      }),
    ),
  }
}

function readEndpoint(entry: Fields, addressType: EndpointSlice['addressType']): SliceEndpoint {
  const conditions = entry.object('conditions')
  return defined<SliceEndpoint>({
    addresses: entry.strings('addresses').map((text, index) => readAddress(entry, index, text, addressType)),
    conditions: defined<SliceEndpoint['conditions']>({
      ready: conditions.boolean('ready'),
      serving: conditions.boolean('serving'),
      terminating: conditions.boolean('terminating'),
    }),
    hostname: entry.string('hostname') || undefined,
    nodeName: entry.string('nodeName') || undefined,
    zone: entry.string('zone') || undefined,
    hints: readHints(entry.optionalObject('hints')),
    targetRef: readTargetRef(entry.optionalObject('targetRef')),
  })
}

function readAddress(entry: Fields, index: number, text: string, addressType: EndpointSlice['addressType']): string {
  if (addressType === 'FQDN') return text
  const address = canonicalAddress(text)
  if (address !== undefined && familyOf(address) === addressType) return address
  return entry.fail(`addresses[${index}]`, `Expected an ${addressType} address, got '${text}'`)
}

function readHints(hints: Fields | undefined): SliceEndpoint['hints'] {
  if (!hints) return undefined
  const read = (name: string) => {
    const entries = hints.objects(name).map((entry) => ({ name: entry.requiredString('name') }))
    return entries.length > 0 ? entries : undefined
  }
  return defined<NonNullable<SliceEndpoint['hints']>>({ forZones: read('forZones'), forNodes: read('forNodes') })
}

function readTargetRef(reference: Fields | undefined): SliceEndpoint['targetRef'] {
  if (!reference) return undefined
  return defined<NonNullable<SliceEndpoint['targetRef']>>({
    kind: reference.string('kind') ?? '',
    name: reference.string('name') ?? '',
    namespace: reference.string('namespace'),
  })
}
