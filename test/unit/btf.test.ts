// SPDX-License-Identifier: Apache-2.0
/** readBtf() and renderAbi() on small dumps in bpftool's form. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readBtf } from '../../src/abi/btf.ts'
import { renderAbi } from '../../src/abi/render.ts'

const integer = (id: number, name: string, bits: number, encoding = '(none)') => ({
  ...{ id, kind: 'INT', name, size: bits / 8, bits_offset: 0, nr_bits: bits, encoding },
})
const base = [
  integer(1, 'unsigned int', 32),
  integer(2, 'unsigned short', 16),
  integer(3, 'char', 8, 'SIGNED'),
  integer(4, 'int', 32, 'SIGNED'),
  { id: 5, kind: 'TYPEDEF', name: '__u16', type_id: 2 },
  { id: 6, kind: 'TYPEDEF', name: '__be16', type_id: 5 },
  { id: 7, kind: 'ARRAY', name: '(anon)', type_id: 3, index_type_id: 1, nr_elems: 16 },
  { id: 8, kind: 'STRUCT', name: 'addr', size: 16, vlen: 0, members: [] },
]
const member = (name: string, type_id: number, offset: number, extra = {}) => ({
  name,
  type_id,
  bits_offset: offset * 8,
  ...extra,
})
const struct = (members: readonly object[], name = 'thing', id = 20) => ({
  id,
  kind: 'STRUCT',
  name,
  size: 64,
  members,
})
const read = (...types: object[]) => readBtf({ types: [...base, ...types] })

test('readBtf() tells byte orders, text, addresses and arrays apart, and leaves padding out', () => {
  const members = [
    ...[
      member('port', 6, 0),
      member('host_port', 5, 2),
      member('pad', 1, 4),
      member('pad2', 1, 8),
      member('name', 7, 12),
    ],
    ...[member('addr', 8, 28), member('list', 10, 44)],
  ]
  const abi = read(struct(members), {
    id: 10,
    kind: 'ARRAY',
    name: '(anon)',
    type_id: 5,
    index_type_id: 1,
    nr_elems: 2,
  })
  assert.deepEqual(abi.structs.get('thing')?.fields, [
    { name: 'port', offset: 0, type: 'be16' },
    { name: 'host_port', offset: 2, type: 'u16' },
    { name: 'name', offset: 12, type: { text: 16 } },
    { name: 'addr', offset: 28, type: 'address' },
    { name: 'list', offset: 44, type: { array: 'u16', length: 2 } },
  ])
  assert.ok(!abi.structs.has('addr'))
})

const unknown: readonly (readonly [what: string, types: readonly object[], message: RegExp])[] = [
  ['a signed number', [struct([member('x', 4, 0)])], /struct thing, x: no codec for int/],
  ['a bitfield', [struct([member('x', 1, 0, { bitfield_size: 3 })])], /struct thing, x: bitfields have no codec/],
  [
    'a pointer',
    [struct([member('x', 30, 0)]), { id: 30, kind: 'PTR', name: '(anon)', type_id: 1 }],
    /no codec for PTR/,
  ],
  [
    'a union',
    [struct([member('x', 30, 0)]), { id: 30, kind: 'UNION', name: 'u', size: 4, members: [] }],
    /no codec for UNION u/,
  ],
  ['an anonymous struct', [struct([member('x', 30, 0)]), struct([], '(anon)', 30)], /no codec for STRUCT \(anon\)/],
  [
    'an enum as a field',
    [struct([member('x', 30, 0)]), { id: 30, kind: 'ENUM', name: 'e', values: [] }],
    /no codec for ENUM e/,
  ],
  ['a type that is not there', [struct([member('x', 99, 0)])], /No type 99/],
]

for (const [what, types, message] of unknown) {
  test(`readBtf() refuses ${what}`, () => {
    assert.throws(() => read(...types), { code: 'E_BTF', message })
  })
}

test('readBtf() refuses what is no dump', () => {
  assert.throws(() => readBtf({}), { code: 'E_BTF' })
})

/** A map's attribute: a pointer to an array whose length is the number. */
const number = (id: number, value: number) => [
  { id, kind: 'PTR', name: '(anon)', type_id: id + 1 },
  { id: id + 1, kind: 'ARRAY', name: '(anon)', type_id: 4, index_type_id: 1, nr_elems: value },
]
const map = (type: number, maxEntries: number) => [
  ...[...number(30, type), ...number(32, maxEntries), ...number(34, 1024)],
  { id: 36, kind: 'PTR', name: '(anon)', type_id: 1 },
  struct(
    [
      member('type', 30, 0),
      member('max_entries', 32, 8),
      member('map_flags', 34, 16),
      member('key', 36, 24),
      member('value', 36, 32),
    ],
    '(anon)',
    40,
  ),
  { id: 41, kind: 'VAR', name: 'table', type_id: 40, linkage: 'global' },
  { id: 42, kind: 'DATASEC', name: '.maps', size: 40, vars: [{ type_id: 41, offset: 0, size: 40 }] },
]
const color = {
  id: 50,
  kind: 'ENUM',
  name: 'color',
  size: 4,
  values: [
    { name: 'RED', val: 2 },
    { name: 'BLUE', val: 1 },
  ],
}

test('readBtf() reads the inventory of maps', () => {
  assert.deepEqual(read(...map(2, 99)).maps.get('table'), {
    ...{ name: 'table', type: 2, flags: 1024, maxEntries: 99, key: 'u32', value: 'u32' },
  })
})

test('renderAbi() gives the same text for the same types in any order', () => {
  const structs = [struct([member('b', 5, 0)], 'zebra', 60), struct([member('a', 60, 0)], 'ant', 61)]
  const types = [...base, ...map(2, 99), color, ...structs]
  const text = renderAbi(readBtf({ types }), () => 1)
  assert.equal(
    renderAbi(readBtf({ types: types.toReversed() }), () => 1),
    text,
  )
  assert.ok(text.indexOf('zebraLayout:') < text.indexOf('antLayout:'), 'a struct stands after those that it holds')
  assert.match(text, /BLUE: 1,\n {2}RED: 2,/)
})

test('renderAbi() hashes layouts that maps reach, not sizes of maps or types beyond them', () => {
  const hashed = (...types: object[]) => {
    let layout = ''
    renderAbi(read(...types), (text) => {
      layout = text
      return 0
    })
    return layout
  }
  const one = hashed(...map(2, 99))
  assert.equal(hashed(...map(2, 100)), one)
  assert.equal(hashed(...map(2, 99), color, struct([member('x', 5, 0)])), one)
  assert.notEqual(hashed(...map(1, 99)), one)
})

test('renderAbi() refuses a map type that no class reads', () => {
  assert.throws(() => renderAbi(read(...map(3, 1)), () => 0), {
    code: 'E_BTF',
    message: /map table: no codec for map type 3/,
  })
})
