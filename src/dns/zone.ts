// SPDX-License-Identifier: Apache-2.0
/** A cluster's DNS zone: every name with its records, a pure function of the objects. */

import { serviceKeyOfSlice } from '../model/slice-index.ts'
import type { EndpointSlice } from '../model/types.ts'
import type { Manifests } from '../source/derive-objects.ts'
import { canonicalName, isName, REVERSE_ZONES } from './names.ts'
import { serviceRecords } from './service-records.ts'
import { soaRecord, txtRecord, type ZoneRecord } from './zone-record.ts'

/** The version of the specification that the records follow. */
const SCHEMA_VERSION = '1.1.0'

/** Namespaces that every cluster has. */
const BUILT_IN_NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system']

export interface Zone {
  /** Canonical, `cluster.local`. */
  readonly domain: string
  /** The domain, and the zones of reverse names: what lies below none of them is somebody else's. */
  readonly origins: readonly string[]
  /** By canonical name. No record: the name exists because of those below it (RFC 8020). */
  readonly names: ReadonlyMap<string, readonly ZoneRecord[]>
  readonly namespaces: ReadonlySet<string>
}

export interface ZoneOptions {
  readonly domain: string
  /** Greater for each later state of the zone. */
  readonly serial: number
}

/** What the zone is made of. */
export type ZoneObjects = Pick<Manifests, 'objects' | 'pods'>

export function buildZone({ objects, pods }: ZoneObjects, options: ZoneOptions): Zone {
  const domain = canonicalName(options.domain)
  const origins = [domain, ...REVERSE_ZONES]
  const slices = slicesByService(objects.endpointSlices.values())
  const namespaces = new Set(BUILT_IN_NAMESPACES)
  for (const kind of [objects.services, objects.endpointSlices, pods])
    for (const { metadata } of kind.values()) namespaces.add(metadata.namespace)
  const builder = new ZoneBuilder(origins)
  for (const origin of origins) builder.add(soaRecord(origin, domain, options.serial))
  builder.add(txtRecord(`dns-version.${domain}`, SCHEMA_VERSION))
  for (const namespace of namespaces) for (const kind of ['svc', 'pod']) builder.touch(`${namespace}.${kind}.${domain}`)
  for (const [key, service] of objects.services)
    for (const record of serviceRecords(service, slices.get(key) ?? [], domain)) builder.add(record)
  return { domain, origins, names: builder.names(), namespaces }
}

/** In the order of the slices' names: the same objects make the same zone. */
function slicesByService(slices: Iterable<EndpointSlice>): Map<string, EndpointSlice[]> {
  const byService = new Map<string, EndpointSlice[]>()
  for (const slice of [...slices].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const key = serviceKeyOfSlice(slice)
    if (key === undefined) continue
    const known = byService.get(key)
    if (known) known.push(slice)
    else byService.set(key, [slice])
  }
  return byService
}

class ZoneBuilder {
  readonly #origins: ReadonlySet<string>
  /** Records by what they say: several ports of a Service say the same of an endpoint's address. */
  readonly #names = new Map<string, Map<string, ZoneRecord>>()

  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins)
  }

  add(record: ZoneRecord): void {
    // What cannot stand on the wire is left out: a long hostname must not take the whole zone down.
    if (isName(record.name) && isName(targetOf(record)))
      this.touch(record.name).set(`${record.type} ${JSON.stringify(record.data)}`, record)
  }

  /** Makes a name exist, and those above it. */
  touch(name: string): Map<string, ZoneRecord> {
    const known = this.#names.get(name)
    if (known) return known
    const records = new Map<string, ZoneRecord>()
    this.#names.set(name, records)
    if (!this.#origins.has(name)) this.touch(name.slice(name.indexOf('.') + 1))
    return records
  }

  names(): Map<string, readonly ZoneRecord[]> {
    return new Map(Array.from(this.#names, ([name, records]) => [name, [...records.values()]]))
  }
}

/** The name that a record leads to; its own where it leads to none. */
function targetOf(record: ZoneRecord): string {
  if (record.type === 'SRV') return record.data.target
  return record.type === 'CNAME' || record.type === 'PTR' ? record.data : record.name
}
