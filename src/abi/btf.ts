// SPDX-License-Identifier: Apache-2.0
/** Reads the types that user space shares with the programs out of `bpftool -j btf dump`. Anything unexpected is an error. */

import type { FieldType } from './runtime.ts'

/** One type of bpftool's JSON. */
interface BtfType {
  readonly id: number
  readonly kind: string
  readonly name: string
  readonly size?: number
  readonly type_id?: number
  readonly nr_bits?: number
  readonly encoding?: string
  readonly nr_elems?: number
  readonly members?: readonly {
    readonly name: string
    readonly type_id: number
    readonly bits_offset: number
    readonly bitfield_size?: number
  }[]
  readonly values?: readonly { readonly name: string; readonly val: number }[]
  readonly vars?: readonly { readonly type_id: number }[]
}

/** A field's type, with structs by name. */
export type BtfFieldType =
  | Exclude<FieldType, object>
  | { readonly text: number }
  | { readonly struct: string }
  | { readonly array: BtfFieldType; readonly length: number }

export interface BtfStruct {
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** By offset; padding (`pad`, `pad2`, …) is left out. */
  readonly fields: readonly { readonly name: string; readonly offset: number; readonly type: BtfFieldType }[]
}

export interface BtfEnum {
  readonly name: string
  /** By value, then name. */
  readonly values: readonly { readonly name: string; readonly value: number }[]
}

export interface BtfMap {
  readonly name: string
  /** enum bpf_map_type. */
  readonly type: number
  /** BPF_F_*. */
  readonly flags: number
  /** As written in C; the control plane may set another. */
  readonly maxEntries: number
  /** Undefined where the map type has none (ring buffer). */
  readonly key: BtfFieldType | undefined
  readonly value: BtfFieldType | undefined
}

/** All sorted by name. */
export interface BtfAbi {
  readonly structs: ReadonlyMap<string, BtfStruct>
  readonly enums: ReadonlyMap<string, BtfEnum>
  readonly maps: ReadonlyMap<string, BtfMap>
}

/** A type that no codec exists for. */
export class BtfError extends Error {
  override readonly name = 'BtfError'
  readonly code = 'E_BTF'
}

/** @param dump What `bpftool -j btf dump file OBJECT` printed, parsed. */
export function readBtf(dump: unknown): BtfAbi {
  const list = (dump as { types?: readonly BtfType[] }).types
  if (!Array.isArray(list)) throw new BtfError('No types in the BTF dump')
  const reader = new BtfReader(list)
  return {
    structs: byName(
      list
        .filter((type) => type.kind === 'STRUCT' && type.name !== '(anon)' && type.name !== 'addr')
        .map((type) => reader.struct(type)),
    ),
    enums: byName(
      list.filter((type) => type.kind === 'ENUM' && type.name !== '(anon)').map((type) => reader.enumeration(type)),
    ),
    maps: byName(reader.maps()),
  }
}

function byName<T extends { readonly name: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map((item) => [item.name, item]))
}

class BtfReader {
  readonly #types: ReadonlyMap<number, BtfType>

  constructor(types: readonly BtfType[]) {
    this.#types = new Map(types.map((type) => [type.id, type]))
  }

  struct(type: BtfType): BtfStruct {
    const fields = (type.members ?? []).map((member) => {
      const where = `struct ${type.name}, ${member.name}`
      if (member.bitfield_size || member.bits_offset % 8 !== 0) throw new BtfError(`${where}: bitfields have no codec`)
      return { name: member.name, offset: member.bits_offset / 8, type: this.#field(member.type_id, where) }
    })
    return { name: type.name, size: type.size ?? 0, fields: fields.filter(({ name }) => !/^pad\d*$/.test(name)) }
  }

  enumeration(type: BtfType): BtfEnum {
    const values = (type.values ?? []).map(({ name, val }) => ({ name, value: val }))
    return { name: type.name, values: values.sort((a, b) => a.value - b.value || (a.name < b.name ? -1 : 1)) }
  }

  /** The variables of the section .maps: structs whose members stand for attributes by their types. */
  maps(): BtfMap[] {
    const section = [...this.#types.values()].find((type) => type.kind === 'DATASEC' && type.name === '.maps')
    return (section?.vars ?? []).map(({ type_id }) => {
      const variable = this.#type(type_id)
      const members = this.#type(variable.type_id).members ?? []
      const pointee = (name: string) => {
        const member = members.find((candidate) => candidate.name === name)
        return member && this.#type(this.#type(member.type_id).type_id)
      }
      const number = (name: string) => pointee(name)?.nr_elems ?? 0
      const field = (name: string) => {
        const type = pointee(name)
        return type && this.#field(type.id, `map ${variable.name}, ${name}`)
      }
      return {
        name: variable.name,
        type: number('type'),
        flags: number('map_flags'),
        maxEntries: number('max_entries'),
        key: field('key'),
        value: field('value'),
      }
    })
  }

  #field(id: number, where: string): BtfFieldType {
    const type = this.#type(id)
    switch (type.kind) {
      case 'TYPEDEF':
        if (type.name === '__be16') return 'be16'
        if (type.name === '__be32') return 'be32'
        return this.#field(type.type_id ?? 0, where)
      case 'INT':
        return integer(type, where)
      case 'STRUCT':
        if (type.name === '(anon)') break
        return type.name === 'addr' ? 'address' : { struct: type.name }
      case 'ARRAY': {
        const length = type.nr_elems ?? 0
        const item = this.#type(type.type_id)
        if (item.kind === 'INT' && item.name === 'char') return { text: length }
        return { array: this.#field(item.id, where), length }
      }
    }
    throw new BtfError(`${where}: no codec for ${type.kind} ${type.name}`)
  }

  #type(id: number | undefined): BtfType {
    const type = this.#types.get(id ?? 0)
    if (!type) throw new BtfError(`No type ${id} in the BTF dump`)
    return type
  }
}

function integer(type: BtfType, where: string): BtfFieldType {
  if (type.encoding !== 'SIGNED') {
    switch (type.nr_bits) {
      case 8:
        return 'u8'
      case 16:
        return 'u16'
      case 32:
        return 'u32'
      case 64:
        return 'u64'
    }
  }
  throw new BtfError(`${where}: no codec for ${type.name}`)
}
