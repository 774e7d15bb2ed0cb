// SPDX-License-Identifier: Apache-2.0
/** What every Kubernetes object has: its name and labels, trimmed to what is read. */
import { defined, type Fields } from './fields.ts'
import type { Metadata } from './types.ts'

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/

/** Reads `metadata`; a namespaced object without a namespace is in `default`. Names are checked as RFC 1123 demands. */
export function normalizeMetadata(
  object: Fields,
  scope: 'Namespaced' | 'Cluster',
  name: 'label' | 'subdomain',
): Metadata {
  const fields = object.object('metadata')
  const text = fields.requiredString('name')
  if (!(name === 'label' ? DNS_LABEL : DNS_SUBDOMAIN).test(text)) {
    fields.fail('name', `'${text}' is not a DNS ${name} (RFC 1123)`)
  }
  const namespace = scope === 'Cluster' ? '' : fields.string('namespace') || 'default'
  if (namespace !== '' && !DNS_LABEL.test(namespace)) {
    fields.fail('namespace', `'${namespace}' is not a DNS label (RFC 1123)`)
  }
  return defined<Metadata>({
    name: text,
    namespace,
    uid: fields.string('uid'),
    creationTimestamp: timestamp(fields, 'creationTimestamp'),
    labels: fields.stringMap('labels'),
    annotations: fields.stringMap('annotations'),
    resourceVersion: fields.string('resourceVersion'),
    deletionTimestamp: timestamp(fields, 'deletionTimestamp'),
  })
}

/** `namespace/name`, or `name` of a cluster-scoped object: the key of an ObjectSet. */
export function objectKey(metadata: Metadata): string {
  return metadata.namespace === '' ? metadata.name : `${metadata.namespace}/${metadata.name}`
}

/** RFC 3339 text; YAML readers and the API's client give a Date. */
function timestamp(fields: Fields, name: string): string | undefined {
  const value = fields.raw(name)
  if (value instanceof Date) return value.toISOString()
  const text = fields.string(name)
  if (text !== undefined && Number.isNaN(Date.parse(text))) fields.fail(name, `'${text}' is not a time (RFC 3339)`)
  return text
}
