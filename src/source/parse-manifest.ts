// SPDX-License-Identifier: Apache-2.0
/** From the text of one manifest file to typed objects; what cannot be read is an error beside them. */
import { parseAllDocuments } from 'yaml'
import type { Fields } from '../model/fields.ts'
import { MODEL_KINDS, objectName, readObject } from '../model/normalize.ts'
import type { EndpointSlice, Node, ObjectError, Service, ServiceCIDR } from '../model/types.ts'
import { type Endpoints, normalizeEndpoints } from './endpoints.ts'
import { normalizePod, type Pod } from './pod.ts'
import { normalizeWorkload, type Workload } from './workload.ts'

/** Every kind that is read, with its API group. */
const KINDS = {
  ...MODEL_KINDS,
  Endpoints: { group: '', read: normalizeEndpoints },
  Pod: { group: '', read: normalizePod },
  Deployment: { group: 'apps', read: normalizeWorkload('Deployment') },
  ReplicaSet: { group: 'apps', read: normalizeWorkload('ReplicaSet') },
} as const

/** Kinds that may stand there and mean nothing to Services. */
const SILENT_KINDS = new Set(['Namespace'])

export type ManifestKind = keyof typeof KINDS
type Reader = (fields: Fields) => ObjectTypes[ManifestKind]

export interface ObjectTypes {
  readonly Service: Service
  readonly EndpointSlice: EndpointSlice
  readonly Node: Node
  readonly ServiceCIDR: ServiceCIDR
  readonly Endpoints: Endpoints
  readonly Pod: Pod
  readonly Deployment: Workload
  readonly ReplicaSet: Workload
}

export interface ManifestObject {
  readonly kind: ManifestKind
  /** `Service default/web`. */
  readonly name: string
  readonly object: ObjectTypes[ManifestKind]
}

export interface ParsedManifest {
  readonly objects: readonly ManifestObject[]
  readonly errors: readonly ObjectError[]
  /** Kinds that are not read, as `apps/v1 DaemonSet`. */
  readonly ignored: readonly string[]
  /** A document that could not even be named: what is missing now may be in it. */
  readonly unreadable: boolean
}

/** @param source The file's path relative to its folder, for messages. */
export function parseManifest(text: string, source: string): ParsedManifest {
  const objects: ManifestObject[] = []
  const errors: ObjectError[] = []
  const ignored: string[] = []
  let unreadable = false
  for (const document of readDocuments(text)) {
    if ('message' in document) {
      unreadable = true
      errors.push({ source, object: document.name, field: '', message: document.message })
      continue
    }
    for (const { raw, name, kind: implied } of flattenList(document.value, document.name)) {
      const type = typeOf(raw, implied)
      if (!type) {
        unreadable = true
        errors.push({ source, object: name, field: 'kind', message: 'Required value is missing' })
      } else if (!type.kind) {
        if (!SILENT_KINDS.has(type.text.split(' ')[1] ?? '')) ignored.push(type.text)
      } else {
        const { object, error } = readObject(type.kind, raw, source, KINDS[type.kind].read as Reader)
        if (error) errors.push(error)
        else objects.push({ kind: type.kind, name: objectName(type.kind, object.metadata), object })
      }
    }
  }
  return { objects, errors, ignored, unreadable }
}

type Document = { readonly name: string; readonly value: unknown } | { readonly name: string; readonly message: string }

function readDocuments(text: string): Document[] {
  if (/^\s*[[{]/.test(text)) {
    try {
      return [{ name: 'document 1', value: JSON.parse(text) }]
    } catch {
      // Flow-style YAML looks like JSON, and its reader says where it breaks.
    }
  }
  const documents = parseAllDocuments(text, { merge: true })
  if (!Array.isArray(documents)) return []
  return documents.flatMap((document, index): Document[] => {
    const name = `document ${index + 1}`
    const [error] = document.errors
    if (error) return [{ name, message: error.message.split('\n')[0]?.replace(/:$/, '') ?? 'Not YAML' }]
    try {
      const value: unknown = document.toJS()
      return value === null || value === undefined ? [] : [{ name, value }]
    } catch (cause) {
      return [{ name, message: cause instanceof Error ? cause.message : String(cause) }]
    }
  })
}

interface RawObject {
  readonly raw: unknown
  readonly name: string
  /** apiVersion and kind that a typed list (`ServiceList`) implies for its items. */
  readonly kind?: { readonly apiVersion: unknown; readonly kind: string }
}

function flattenList(value: unknown, name: string): RawObject[] {
  if (Array.isArray(value)) return value.flatMap((raw, index) => flattenList(raw, `${name}[${index}]`))
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('items' in value))
    return [{ raw: value, name }]
  const { kind, items } = value
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) return [{ raw: value, name }]
  const implied = {
    apiVersion: 'apiVersion' in value ? value.apiVersion : undefined,
    kind: kind.slice(0, -'List'.length),
  }
  return items.map((raw, index) => ({
    raw,
    name: `${name} items[${index}]`,
    ...(implied.kind ? { kind: implied } : {}),
  }))
}

/** Kinds are told apart by their group: another API's Service is not ours. */
function typeOf(
  raw: unknown,
  implied: RawObject['kind'],
): { readonly kind?: ManifestKind; readonly text: string } | undefined {
  const own =
    typeof raw === 'object' && raw !== null && !Array.isArray(raw)
      ? (raw as { kind?: unknown; apiVersion?: unknown })
      : {}
  const kind = own.kind ?? implied?.kind
  const apiVersion = own.apiVersion ?? implied?.apiVersion
  if (typeof kind !== 'string' || kind === '') return undefined
  const version = typeof apiVersion === 'string' ? apiVersion : ''
  const text = `${version} ${kind}`
  if (!Object.hasOwn(KINDS, kind)) return { text }
  const known = kind as ManifestKind
  const group = version.includes('/') ? version.split('/')[0] : ''
  return version === '' || group === KINDS[known].group ? { kind: known, text } : { text }
}
