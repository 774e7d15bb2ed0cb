// SPDX-License-Identifier: Apache-2.0
/** The objects of one kind as the API server last told: what is bad is an error beside the version that was good. */
import { isDeepStrictEqual } from 'node:util'
import { type ModelKind, type ModelObject, normalize } from '../../model/normalize.ts'
import type { ObjectError } from '../../model/types.ts'
import { ApiProtocolError } from './api-error.ts'
import { trim } from './trim.ts'

const SOURCE = 'kubernetes'

interface Entry<T> {
  readonly uid: string | undefined
  readonly resourceVersion: string | undefined
  /** The last version that was good. */
  readonly object: T | undefined
  /** What is wrong with this version. */
  readonly error: ObjectError | undefined
}

/** A new version never changes an object that was handed out. */
export class ObjectStore<K extends ModelKind> {
  readonly #kind: K
  #entries = new Map<string, Entry<ModelObject<K>>>()
  #objects: ReadonlyMap<string, ModelObject<K>> | undefined

  constructor(kind: K) {
    this.#kind = kind
  }

  /** By `namespace/name`, or `name`; the same map until an object changes. */
  get objects(): ReadonlyMap<string, ModelObject<K>> {
    if (this.#objects === undefined) {
      const objects = new Map<string, ModelObject<K>>()
      for (const [key, { object }] of this.#entries) if (object !== undefined) objects.set(key, object)
      this.#objects = objects
    }
    return this.#objects
  }

  get errors(): ObjectError[] {
    return Array.from(this.#entries.values()).flatMap(({ error }) => error ?? [])
  }

  get size(): number {
    return this.#entries.size
  }

  /** Takes over a version. Says whether anything that is read has changed. */
  set(raw: unknown): boolean {
    const { key, entry } = this.#read(raw)
    const before = this.#entries.get(key)
    this.#entries.set(key, entry)
    return this.#note(!sameContent(before, entry))
  }

  delete(raw: unknown): boolean {
    return this.#note(this.#entries.delete(identityOf(raw).key))
  }

  /** Begins a new state that shares with the old what did not change; `commit` puts it in place, whole. */
  replacement(): { add(raw: unknown): void; commit(): boolean } {
    const next = new Map<string, Entry<ModelObject<K>>>()
    return {
      add: (raw) => {
        const { key, entry } = this.#read(raw)
        next.set(key, entry)
      },
      commit: () => {
        const before = this.#entries
        const differs = ([key, entry]: [string, Entry<ModelObject<K>>]) => !sameContent(before.get(key), entry)
        const changed = next.size !== before.size || Array.from(next).some(differs)
        this.#entries = next
        return this.#note(changed)
      },
    }
  }

  #note(changed: boolean): boolean {
    if (changed) this.#objects = undefined
    return changed
  }

  #read(raw: unknown): { readonly key: string; readonly entry: Entry<ModelObject<K>> } {
    const { key, uid, resourceVersion } = identityOf(raw)
    const before = this.#entries.get(key)
    if (before && before.uid === uid && before.resourceVersion === resourceVersion && resourceVersion !== undefined)
      return { key, entry: before }
    const { object: read, error } = normalize(this.#kind, raw, SOURCE)
    // Of another object with the same name nothing stays.
    const last = before?.uid === uid ? before?.object : undefined
    if (error) {
      const message = last ? `${error.message}; the last good version stays in force` : error.message
      return { key, entry: { uid, resourceVersion, object: last, error: { ...error, message } } }
    }
    const object = trim(this.#kind, read)
    const same = isDeepStrictEqual(object, before?.object)
    return { key, entry: { uid, resourceVersion, object: same ? before?.object : object, error: undefined } }
  }
}

function sameContent<T>(a: Entry<T> | undefined, b: Entry<T>): boolean {
  return a !== undefined && a.object === b.object && isDeepStrictEqual(a.error, b.error)
}

interface Identity {
  readonly key: string
  readonly uid: string | undefined
  readonly resourceVersion: string | undefined
}

/** What every object of the API has, be the rest as bad as it may. */
export function identityOf(raw: unknown): Identity {
  const { metadata } = (raw ?? {}) as { readonly metadata?: Readonly<Record<string, unknown>> | null }
  const text = (name: string) => {
    const value = metadata?.[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const [name, namespace] = [text('name'), text('namespace')]
  if (name === undefined) throw new ApiProtocolError('object', 'metadata.name is missing')
  const key = namespace === undefined ? name : `${namespace}/${name}`
  return { key, uid: text('uid'), resourceVersion: text('resourceVersion') }
}
