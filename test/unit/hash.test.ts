// SPDX-License-Identifier: Apache-2.0
/** Hashes: byte order, keys, spread. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../../src/abi/address.ts'
import { addressWords } from '../../src/compiler/address-words.ts'
import { affinityId } from '../../src/compiler/affinity-id.ts'
import { backendHash, filterBit, wirePort } from '../../src/compiler/hash.ts'

test('addressWords() reads the 16 bytes as they lie in memory, little-endian', () => {
  for (const address of ['10.96.0.1', '255.255.255.255', '0.0.0.0', '2001:db8::1', 'fd00:10:96::4f42', '::1']) {
    const bytes = parseAddress(address)
    const view = new DataView(bytes.buffer)
    assert.deepEqual(
      addressWords(address, new Uint32Array(4)),
      Uint32Array.from([0, 4, 8, 12], (at) => view.getUint32(at, true)),
      address,
    )
  }
  assert.throws(() => addressWords('web.example', new Uint32Array(4)), TypeError)
})

test('wirePort() is the port as a program reads its two bytes', () => {
  assert.deepEqual([wirePort(80), wirePort(0x1234), wirePort(0)], [0x5000, 0x3412, 0])
})

test('filterBit() is within 2^20 and tells port and protocol apart', () => {
  const words = addressWords('10.96.0.1', new Uint32Array(4))
  const bits = [filterBit(words, 80, 6), filterBit(words, 80, 17), filterBit(words, 81, 6), filterBit(words, 0, 0)]
  assert.equal(new Set(bits).size, 4)
  for (const bit of bits) assert.ok(bit >= 0 && bit < 2 ** 20)
})

test('filterBit() spreads the addresses of a cluster over the whole filter', () => {
  const words = new Uint32Array(4)
  const bits = new Set<number>()
  for (let i = 0; i < 20_000; i++) bits.add(filterBit(addressWords(`10.96.${i >>> 8}.${i & 255}`, words), 80, 6))
  // 20,000 of 2^20 at random: about 190 share a bit.
  assert.ok(bits.size > 19_600, `${bits.size}`)
})

test('backendHash() depends on the address, the port and the seed', () => {
  const words = addressWords('10.0.0.1', new Uint32Array(4))
  const other = addressWords('10.0.0.2', new Uint32Array(4))
  const hashes = [
    backendHash(words, 80, 1),
    backendHash(words, 80, 2),
    backendHash(words, 81, 1),
    backendHash(other, 80, 1),
  ]
  assert.equal(new Set(hashes).size, 4)
})

test('affinityId() is never 0 and tells Services apart', () => {
  assert.notEqual(affinityId('a', 'bc'), affinityId('ab', 'c'))
  assert.equal(affinityId('default', 'web'), affinityId('default', 'web'))
  assert.ok(affinityId('default', 'web') > 0n && affinityId('default', 'web') < 2n ** 64n)
})
