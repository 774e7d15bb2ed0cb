// SPDX-License-Identifier: Apache-2.0
/** Compiles the generated layouts into functions that write values to bytes and read them back. */

import type { Address } from './address.ts'

/** How one field is stored. be16/be32: network byte order; the others are the machine's (little endian). */
export type FieldType =
  | 'u8'
  | 'u16'
  | 'u32'
  | 'u64'
  | 'be16'
  | 'be32'
  | 'address'
  | { readonly text: number }
  | { readonly struct: StructLayout }
  | { readonly array: FieldType; readonly length: number }

/** A C struct: padding is left out and written as zero. */
export interface StructLayout {
  /** Its name in C. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  readonly fields: readonly (readonly [property: string, offset: number, type: FieldType])[]
}

/** Writes and reads values of one type at fixed size. */
export interface Codec<T> {
  /** The C name, for messages. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Writes all `size` bytes. @throws {AbiValueError} for a value that the type cannot hold. */
  encode(value: T, view: DataView, offset: number): void
  decode(view: DataView, offset: number): T
}

/** A value that does not fit its field. */
export class AbiValueError extends Error {
  override readonly name = 'AbiValueError'
  readonly code = 'E_ABI_VALUE'
}

// biome-ignore lint/suspicious/noExplicitAny: a codec's value type is known to the generated declaration alone
type AnyCodec = Codec<any>

/**
 * Makes the codec of a struct.
 *
 * @param name For messages: where the struct stands, when it is a field of another.
 */
export function structCodec<T>(layout: StructLayout, name: string = layout.name): Codec<T> {
  const { size } = layout
  const fields = layout.fields.map(([property, offset, type]) => ({
    property,
    offset,
    codec: fieldCodec(type, `${name}.${property}`),
  }))
  return {
    name,
    size,
    encode(value, view, offset) {
      if (typeof value !== 'object' || value === null) {
        throw new AbiValueError(`${name} holds a struct, not ${String(value)}`)
      }
      new Uint8Array(view.buffer, view.byteOffset + offset, size).fill(0)
      const record = value as Record<string, unknown>
      for (const field of fields) field.codec.encode(record[field.property], view, offset + field.offset)
    },
    decode(view, offset) {
      const record: Record<string, unknown> = {}
      for (const field of fields) record[field.property] = field.codec.decode(view, offset + field.offset)
      return record as T
    },
  }
}

/** Codec of a map whose key or value is a plain u32. */
export const u32Codec: Codec<number> = fieldCodec('u32', 'u32')

function fieldCodec(type: FieldType, name: string): AnyCodec {
  if (typeof type === 'object') {
    if ('text' in type) return textCodec(type.text, name)
    if ('struct' in type) return structCodec<unknown>(type.struct, name)
    return arrayCodec(fieldCodec(type.array, `${name}[]`), type.length, name)
  }
  switch (type) {
    case 'u8':
      return integerCodec(
        name,
        1,
        (view, at, value) => view.setUint8(at, value),
        (view, at) => view.getUint8(at),
      )
    case 'u16':
      return integerCodec(
        name,
        2,
        (view, at, value) => view.setUint16(at, value, true),
        (view, at) => view.getUint16(at, true),
      )
    case 'u32':
      return integerCodec(
        name,
        4,
        (view, at, value) => view.setUint32(at, value, true),
        (view, at) => view.getUint32(at, true),
      )
    case 'be16':
      return integerCodec(
        name,
        2,
        (view, at, value) => view.setUint16(at, value),
        (view, at) => view.getUint16(at),
      )
    case 'be32':
      return integerCodec(
        name,
        4,
        (view, at, value) => view.setUint32(at, value),
        (view, at) => view.getUint32(at),
      )
    case 'u64':
      return wideCodec(name)
    case 'address':
      return addressCodec(name)
    default:
      throw new AbiValueError(`${name}: unknown field type ${JSON.stringify(type satisfies never)}`)
  }
}

function integerCodec(
  name: string,
  size: number,
  write: (view: DataView, at: number, value: number) => void,
  read: (view: DataView, at: number) => number,
): Codec<number> {
  const max = 2 ** (size * 8) - 1
  return {
    name,
    size,
    encode(value, view, at) {
      if (!Number.isInteger(value) || value < 0 || value > max) {
        throw new AbiValueError(`${name} holds integers from 0 to ${max}, not ${String(value)}`)
      }
      write(view, at, value)
    },
    decode: read,
  }
}

function wideCodec(name: string): Codec<bigint> {
  return {
    name,
    size: 8,
    encode(value, view, at) {
      if (typeof value !== 'bigint' || BigInt.asUintN(64, value) !== value) {
        throw new AbiValueError(`${name} holds a bigint of 64 bits, not ${String(value)}`)
      }
      view.setBigUint64(at, value, true)
    },
    decode: (view, at) => view.getBigUint64(at, true),
  }
}

function addressCodec(name: string): Codec<Address> {
  return {
    name,
    size: 16,
    encode(value, view, at) {
      if (!(value instanceof Uint8Array) || value.length !== 16) {
        throw new AbiValueError(`${name} holds an address of 16 bytes, not ${String(value)}`)
      }
      for (let index = 0; index < 16; index++) view.setUint8(at + index, value[index]!)
    },
    decode: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, 16).slice() as Address,
  }
}

/** UTF-8 that ends at the first zero. */
function textCodec(size: number, name: string): Codec<string> {
  const encoder = new TextEncoder()
  const decoder = new TextDecoder()
  return {
    name,
    size,
    encode(value, view, at) {
      const bytes = typeof value === 'string' ? encoder.encode(value) : undefined
      if (bytes === undefined || bytes.length >= size || bytes.includes(0)) {
        throw new AbiValueError(`${name} holds text of up to ${size - 1} bytes, not '${String(value)}'`)
      }
      new Uint8Array(view.buffer, view.byteOffset + at, bytes.length).set(bytes)
    },
    decode(view, at) {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + at, size)
      const end = bytes.indexOf(0)
      return decoder.decode(bytes.slice(0, end < 0 ? size : end))
    },
  }
}

/** Fewer values than `length` are followed by zeros; reading gives them all. */
function arrayCodec(item: AnyCodec, length: number, name: string): Codec<readonly unknown[]> {
  return {
    name,
    size: item.size * length,
    encode(values, view, at) {
      if (!Array.isArray(values) || values.length > length) {
        throw new AbiValueError(
          `${name} holds up to ${length} values, not ${Array.isArray(values) ? values.length : String(values)}`,
        )
      }
      values.forEach((value, index) => {
        item.encode(value, view, at + index * item.size)
      })
    },
    decode: (view, at) => Array.from({ length }, (_, index) => item.decode(view, at + index * item.size) as unknown),
  }
}

/** The value's bytes in a buffer of their own. */
export function encoded<T>(codec: Codec<T>, value: T): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(codec.size)
  codec.encode(value, new DataView(bytes.buffer), 0)
  return bytes
}

/** Reads a value from bytes that are at least as long as it. */
export function decoded<T>(codec: Codec<T>, bytes: Uint8Array): T {
  if (bytes.length < codec.size) throw new AbiValueError(`${codec.name} has ${codec.size} bytes, not ${bytes.length}`)
  return codec.decode(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0)
}
