// SPDX-License-Identifier: Apache-2.0
/** From a raw object, out of a manifest or the API, to a trimmed and defaulted one, or to what is wrong with it. */
import { FieldError, Fields } from './fields.ts'
import { normalizeNode, normalizeServiceCIDR } from './normalize-cluster.ts'
import { normalizeEndpointSlice } from './normalize-endpoint-slice.ts'
import { objectKey } from './normalize-metadata.ts'
import { normalizeService } from './normalize-service.ts'
import type { Metadata, ObjectError } from './types.ts'

/** The kinds of an ObjectSet: how each is read. */
export const MODEL_KINDS = {
  Service: { group: '', read: normalizeService },
  EndpointSlice: { group: 'discovery.k8s.io', read: normalizeEndpointSlice },
  Node: { group: '', read: normalizeNode },
  ServiceCIDR: { group: 'networking.k8s.io', read: normalizeServiceCIDR },
} as const

export type ModelKind = keyof typeof MODEL_KINDS
export type ModelObject<K extends ModelKind> = ReturnType<(typeof MODEL_KINDS)[K]['read']>

export type Normalized<T> =
  | { readonly object: T; readonly error?: never }
  | { readonly object?: never; readonly error: ObjectError }

/**
 * Reads one object of a known kind.
 *
 * @param source Where it was read: a file's path relative to its folder, or 'kubernetes'.
 */
export function normalize<K extends ModelKind>(kind: K, raw: unknown, source: string): Normalized<ModelObject<K>> {
  return readObject(kind, raw, source, MODEL_KINDS[kind].read as (fields: Fields) => ModelObject<K>)
}

/** Runs a reader of one kind; what it throws about a field becomes an ObjectError that names the object. */
export function readObject<T>(kind: string, raw: unknown, source: string, read: (fields: Fields) => T): Normalized<T> {
  try {
    return { object: read(new Fields(raw)) }
  } catch (error) {
    if (!(error instanceof FieldError)) throw error
    return { error: { source, object: nameOf(kind, raw), field: error.field, message: error.message } }
  }
}

/** `Service default/web`: how messages call an object. */
export function objectName(kind: string, metadata: Metadata): string {
  return `${kind} ${objectKey(metadata)}`
}

/** The best name for an object that may be broken. */
function nameOf(kind: string, raw: unknown): string {
  const metadata = raw && typeof raw === 'object' && 'metadata' in raw ? raw.metadata : undefined
  if (!metadata || typeof metadata !== 'object') return kind
  const name = 'name' in metadata && typeof metadata.name === 'string' ? metadata.name : undefined
  if (name === undefined) return kind
  if (kind === 'Node' || kind === 'ServiceCIDR' || kind === 'Namespace') return `${kind} ${name}`
  const namespace = 'namespace' in metadata && typeof metadata.namespace === 'string' ? metadata.namespace : ''
  return `${kind} ${namespace || 'default'}/${name}`
}
