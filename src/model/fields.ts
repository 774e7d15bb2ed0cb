// SPDX-License-Identifier: Apache-2.0
/** Reads an unknown value field by field, so that what is wrong is said with the field's path. */

/** A field that does not hold what the API demands. */
export class FieldError extends Error {
  readonly code = 'INVALID_FIELD'
  /** `spec.ports[0].port`; '' for the object itself. */
  readonly field: string

  constructor(field: string, message: string) {
    super(message)
    this.name = 'FieldError'
    this.field = field
  }
}

/** An object whose fields are read with checks; an absent field and a null are the same, as in the API. */
export class Fields {
  readonly path: string
  readonly #values: Readonly<Record<string, unknown>>

  /** Throws {@link FieldError} unless the value is an object. */
  constructor(value: unknown, path = '') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new FieldError(path, `Expected an object, got ${describe(value)}`)
    }
    this.path = path
    this.#values = value as Record<string, unknown>
  }

  /** The path of a field of this object. */
  pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`
  }

  names(): string[] {
    return Object.keys(this.#values)
  }

  raw(name: string): unknown {
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined
    return value === null ? undefined : value
  }

  fail(name: string, message: string): never {
    throw new FieldError(this.pathOf(name), message)
  }

  /** The object in a field, empty when absent. */
  object(name: string): Fields {
    return this.optionalObject(name) ?? new Fields({}, this.pathOf(name))
  }

  optionalObject(name: string): Fields | undefined {
    const value = this.raw(name)
    return value === undefined ? undefined : new Fields(value, this.pathOf(name))
  }

  /** The list in a field, empty when absent. */
  list(name: string): readonly unknown[] {
    const value = this.raw(name) ?? []
    return Array.isArray(value) ? value : this.fail(name, `Expected a list, got ${describe(value)}`)
  }

  objects(name: string): Fields[] {
    return this.list(name).map((value, index) => new Fields(value, `${this.pathOf(name)}[${index}]`))
  }

  strings(name: string): string[] {
    return this.list(name).map((value, index) =>
      typeof value === 'string' ? value : this.fail(`${name}[${index}]`, `Expected a string, got ${describe(value)}`),
    )
  }

  string(name: string): string | undefined {
    const value = this.raw(name)
    if (value === undefined || typeof value === 'string') return value
    return this.fail(name, `Expected a string, got ${describe(value)}`)
  }

  requiredString(name: string): string {
    const value = this.string(name)
    return value === undefined || value === '' ? this.fail(name, 'Required value is missing') : value
  }

  boolean(name: string): boolean | undefined {
    const value = this.raw(name)
    if (value === undefined || typeof value === 'boolean') return value
    return this.fail(name, `Expected true or false, got ${describe(value)}`)
  }

  integer(name: string, min: number, max: number): number | undefined {
    const value = this.raw(name)
    if (value === undefined) return undefined
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    return this.fail(name, `Expected an integer from ${min} to ${max}, got ${describe(value)}`)
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = this.string(name)
    if (value === undefined || value === '') return undefined
    const known = values.find((candidate) => candidate === value)
    return known ?? this.fail(name, `Expected one of ${values.join(', ')}, got ${describe(value)}`)
  }

  stringMap(name: string): Record<string, string> | undefined {
    const fields = this.optionalObject(name)
    if (!fields) return undefined
    const map: Record<string, string> = {}
    for (const key of fields.names()) map[key] = fields.string(key) ?? ''
    return map
  }
}

/** The same object without the keys whose value is undefined, so that absent is absent. */
export function defined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  // Copied, not deleted from: V8 keeps an object that lost a key as a slow dictionary.
  const copy: Partial<T> = {}
  for (const key in value) if (value[key] !== undefined) copy[key] = value[key]
  return copy as T
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (Array.isArray(value)) return 'a list'
  return value !== null && typeof value === 'object' ? 'an object' : String(value)
}
