// SPDX-License-Identifier: Apache-2.0
/** NeighbourChanges: which messages about neighbours matter. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NeighbourChanges } from '../../src/ffi/neighbour-changes.ts'

const NEW = 28
const DELETED = 29
const REACHABLE = 0x02
const STALE = 0x04
const FAILED = 0x20

/** struct ndmsg of ifindex 7 and 192.0.2.9, with a link-layer address where one is given. */
function message(state: number, lladdr?: string): Uint8Array {
  const bytes = Buffer.alloc(12)
  bytes.writeInt32LE(7, 4)
  bytes.writeUint16LE(state, 8)
  const attribute = (type: number, content: Buffer) => {
    const header = Buffer.alloc(4)
    header.writeUint16LE(4 + content.length, 0)
    header.writeUint16LE(type, 2)
    return Buffer.concat([header, content, Buffer.alloc(-content.length & 3)])
  }
  const parts = [bytes, attribute(1, Buffer.from([192, 0, 2, 9]))]
  if (lladdr !== undefined) parts.push(attribute(2, Buffer.from(lladdr, 'hex')))
  return Buffer.concat(parts)
}

test('NeighbourChanges: another link-layer address matters, the steps of a life do not', () => {
  const neighbours = new NeighbourChanges()
  assert.equal(neighbours.matters(NEW, message(REACHABLE, '020000000001')), false)
  assert.equal(neighbours.matters(NEW, message(STALE, '020000000001')), false)
  assert.equal(neighbours.matters(NEW, message(REACHABLE, '020000000002')), true)
  assert.equal(neighbours.matters(NEW, message(STALE, '020000000002')), false)
})

test('NeighbourChanges: one that comes back is compared with what it was', () => {
  const neighbours = new NeighbourChanges()
  neighbours.matters(NEW, message(REACHABLE, '020000000001'))
  assert.equal(neighbours.matters(DELETED, message(STALE, '020000000001')), false)
  assert.equal(neighbours.matters(NEW, message(REACHABLE, '020000000003')), true)
})

test('NeighbourChanges: one that fails matters once', () => {
  const neighbours = new NeighbourChanges()
  neighbours.matters(NEW, message(REACHABLE, '020000000001'))
  assert.equal(neighbours.matters(NEW, message(FAILED)), true)
  assert.equal(neighbours.matters(NEW, message(FAILED)), false)
})
