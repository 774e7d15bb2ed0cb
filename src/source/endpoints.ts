// SPDX-License-Identifier: Apache-2.0
/** A raw core/v1 Endpoints object: what people write by hand for a Service without a selector. */
import { defined, type Fields } from '../model/fields.ts'
import { canonicalAddress } from '../model/ip.ts'
import { normalizeMetadata } from '../model/normalize-metadata.ts'
import type { EndpointSlice, Metadata } from '../model/types.ts'

export interface EndpointsAddress {
  /** Canonical. */
  readonly ip: string
  readonly ready: boolean
  readonly hostname?: string
  readonly nodeName?: string
}

export interface Endpoints {
  readonly metadata: Metadata
  /** Every address of a subset serves every port of it. */
  readonly subsets: readonly {
    readonly addresses: readonly EndpointsAddress[]
    readonly ports: EndpointSlice['ports']
  }[]
}

/** Throws FieldError. */
export function normalizeEndpoints(object: Fields): Endpoints {
  return {
    metadata: normalizeMetadata(object, 'Namespaced', 'subdomain'),
    subsets: object.objects('subsets').map((subset) => ({
      addresses: [
        ...subset.objects('addresses').map((entry) => readAddress(entry, true)),
        ...subset.objects('notReadyAddresses').map((entry) => readAddress(entry, false)),
      ],
      ports: subset.objects('ports').map((entry) =>
        defined<EndpointSlice['ports'][number]>({
          name: entry.string('name') ?? '',
          protocol: entry.oneOf('protocol', ['TCP', 'UDP', 'SCTP'] as const) ?? 'TCP',
          port: entry.integer('port', 1, 65_535) ?? entry.fail('port', 'Required value is missing'),
          appProtocol: entry.string('appProtocol'),
        }),
      ),
    })),
  }
}

function readAddress(entry: Fields, ready: boolean): EndpointsAddress {
  const text = entry.requiredString('ip')
  return defined<EndpointsAddress>({
    ip: canonicalAddress(text) ?? entry.fail('ip', `Expected an IP address, got '${text}'`),
    ready,
    hostname: entry.string('hostname') || undefined,
    nodeName: entry.string('nodeName') || undefined,
  })
}
