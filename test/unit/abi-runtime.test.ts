// SPDX-License-Identifier: Apache-2.0
/** What codecs refuse, and how they name it. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../../src/abi/address.ts'
import { decoded, encoded, type StructLayout, structCodec, u32Codec } from '../../src/abi/runtime.ts'

const inner: StructLayout = { name: 'inner', size: 2, fields: [['value', 0, 'u16']] }
const sample: StructLayout = {
  name: 'sample',
  size: 48,
  fields: [
    ['small', 0, 'u8'],
    ['port', 2, 'be16'],
    ['wide', 8, 'u64'],
    ['addr', 16, 'address'],
    ['text', 32, { text: 8 }],
    ['items', 40, { array: { struct: inner }, length: 3 }],
  ],
}
const codec = structCodec<Record<string, unknown>>(sample)
const valid = { small: 1, port: 80, wide: 2n, addr: parseAddress('10.0.0.1'), text: 'héllo', items: [{ value: 3 }] }

test('structCodec() takes text of several bytes a letter, and fewer array items than there is room for', () => {
  const read = decoded(codec, encoded(codec, valid))
  assert.deepEqual(read, { ...valid, items: [{ value: 3 }, { value: 0 }, { value: 0 }] })
})

const refused: readonly (readonly [field: string, value: unknown, message: RegExp])[] = [
  ['small', 256, /^sample\.small holds integers from 0 to 255, not 256$/],
  ['small', -1, /^sample\.small /],
  ['small', 1.5, /^sample\.small /],
  ['small', Number.NaN, /^sample\.small /],
  ['small', undefined, /^sample\.small .* not undefined$/],
  ['port', 65536, /^sample\.port holds integers from 0 to 65535, not 65536$/],
  ['wide', 1, /^sample\.wide holds a bigint of 64 bits, not 1$/],
  ['wide', -1n, /^sample\.wide /],
  ['wide', 1n << 64n, /^sample\.wide /],
  ['addr', new Uint8Array(4), /^sample\.addr holds an address of 16 bytes/],
  ['addr', '10.0.0.1', /^sample\.addr holds an address of 16 bytes, not 10\.0\.0\.1$/],
  ['text', 'hélloooo', /^sample\.text holds text of up to 7 bytes/],
  ['text', 'a\0b', /^sample\.text /],
  ['items', [undefined], /^sample\.items\[\] holds a struct, not undefined$/],
  ['items', Array(4).fill({ value: 1 }), /^sample\.items holds up to 3 values, not 4$/],
  ['items', [{ value: 65536 }], /^sample\.items\[\]\.value holds integers/],
]

for (const [field, value, message] of refused) {
  test(`structCodec() refuses ${field} = ${String(value)} and names the field`, () => {
    assert.throws(() => encoded(codec, { ...valid, [field]: value }), { code: 'E_ABI_VALUE', message })
  })
}

test('decoded() refuses bytes that are too few', () => {
  assert.throws(() => decoded(codec, new Uint8Array(47)), {
    code: 'E_ABI_VALUE',
    message: 'sample has 48 bytes, not 47',
  })
})

test('decoded() reads from the middle of a buffer, and its addresses are copies', () => {
  const buffer = new Uint8Array(64)
  buffer.set(encoded(codec, valid), 16)
  const read = decoded(codec, buffer.subarray(16))
  buffer.fill(0)
  assert.deepEqual(read.addr, valid.addr)
})

test('u32Codec is little endian', () => {
  assert.deepEqual(encoded(u32Codec, 0x01020304), Uint8Array.of(4, 3, 2, 1))
})
