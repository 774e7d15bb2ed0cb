// SPDX-License-Identifier: Apache-2.0
/** Lists and event lines are read whole, wherever the network cuts them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LineParser } from '../../../src/source/kubernetes/line-parser.ts'
import { ListParser } from '../../../src/source/kubernetes/list-parser.ts'

/** What tempts a reader to miscount: brackets, quotes and `items` where they mean nothing. */
const LIST = {
  kind: 'items',
  metadata: { resourceVersion: '7', items: [{ not: 'one' }], continue: 'a"]}' },
  items: [
    { metadata: { name: 'a' }, text: 'quote " bracket ] brace } backslash \\' },
    { items: [{ deep: [[]] }], empty: {}, umlaut: 'ä€😀' },
    {},
  ],
  after: ['x', { items: [1] }],
}

function readList(chunks: readonly Buffer[]): { items: unknown[]; envelope: unknown } {
  const items: unknown[] = []
  const parser = new ListParser((item) => items.push(item))
  for (const chunk of chunks) parser.push(chunk)
  return { items, envelope: parser.end() }
}

for (const [style, text] of [
  ['compact', JSON.stringify(LIST)],
  ['indented', JSON.stringify(LIST, undefined, 2)],
] as const) {
  test(`ListParser reads a ${style} list that is cut at any byte`, () => {
    const bytes = Buffer.from(text)
    for (let at = 0; at <= bytes.length; at++) {
      const { items, envelope } = readList([bytes.subarray(0, at), bytes.subarray(at)])
      assert.deepEqual(items, LIST.items)
      assert.deepEqual(envelope, { ...LIST, items: [] })
    }
  })
}

test('ListParser reads a list that comes byte by byte', () => {
  const bytes = Array.from(Buffer.from(JSON.stringify(LIST)), (byte) => Buffer.of(byte))
  assert.deepEqual(readList(bytes).items, LIST.items)
})

test('ListParser takes null for no items', () => {
  assert.deepEqual(readList([Buffer.from('{"metadata":{},"items":null}')]), {
    items: [],
    envelope: { metadata: {}, items: null },
  })
})

test('ListParser throws for a list that ends early, wherever it ends', () => {
  const bytes = Buffer.from(JSON.stringify(LIST))
  for (let length = 0; length < bytes.length; length++)
    assert.throws(() => readList([bytes.subarray(0, length)]), SyntaxError, `${length} bytes`)
})

test('ListParser hands items on before the list has ended', () => {
  const items: unknown[] = []
  const parser = new ListParser((item) => items.push(item))
  parser.push(Buffer.from('{"items":[{"a":1},{"b":'))
  assert.deepEqual(items, [{ a: 1 }])
})

test('ListParser throws for an item that is not JSON', () => {
  assert.throws(() => readList([Buffer.from('{"items":[{oops}]}')]), SyntaxError)
})

function readLines(chunks: readonly Buffer[]): unknown[] {
  const values: unknown[] = []
  const parser = new LineParser((value) => values.push(value))
  for (const chunk of chunks) parser.push(chunk)
  return values
}

test('LineParser reads lines that are cut at any byte', () => {
  const values = [{ a: 'ä\n€' }, { b: ['}'] }, {}]
  const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join('\n'))
  for (let at = 0; at <= bytes.length; at++)
    assert.deepEqual(readLines([bytes.subarray(0, at), bytes.subarray(at)]), values)
})

test('LineParser leaves aside a line that does not end', () => {
  assert.deepEqual(readLines([Buffer.from('{"a":1}\n{"b":2}')]), [{ a: 1 }])
})

test('LineParser hands on what stands before a line that is not JSON', () => {
  const values: unknown[] = []
  const parser = new LineParser((value) => values.push(value))
  assert.throws(() => parser.push(Buffer.from('{"a":1}\n{oops}\n')), SyntaxError)
  assert.deepEqual(values, [{ a: 1 }])
})
