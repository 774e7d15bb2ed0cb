// SPDX-License-Identifier: Apache-2.0
/** Properties of the Maglev tables: full, even, deterministic, stable. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backendHash } from '../../src/compiler/hash.ts'
import { fillTable, tableLength } from '../../src/compiler/maglev.ts'

const sizes = [2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 16, 17, 31, 50, 64, 99, 100, 128, 200, 256, 333, 500, 512, 700, 1000]

function hashesOf(backends: readonly number[], seed: number): Uint32Array {
  return Uint32Array.from(
    backends.flatMap((backend) => {
      const words = Uint32Array.of(0, 0, 0xffff0000, 0x0a + (backend & 0xff) * 0x01000000 + (backend >>> 8) * 0x010000)
      return [backendHash(words, 8080, seed), backendHash(words, 8080, ~seed)]
    }),
  )
}

function tableOf(backends: readonly number[], length: number, seed = 7): Uint32Array {
  const table = new Uint32Array(length)
  fillTable(table, length, backends, hashesOf(backends, seed))
  return table
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i + 1)

function counts(table: Uint32Array): Map<number, number> {
  const result = new Map<number, number>()
  for (const id of table) result.set(id, (result.get(id) ?? 0) + 1)
  return result
}

test('tableLength() is 0 for none, 1 for one, and a prime of at least 100 slots a backend', () => {
  assert.equal(tableLength(0), 0)
  assert.equal(tableLength(1), 1)
  for (let n = 2; n <= 1000; n++) {
    const length = tableLength(n)
    assert.ok(length >= 100 * n, `${n}`)
    assert.ok(length <= 150 * Math.max(n, 3) + 100, `${n}: ${length}`)
    for (let divisor = 2; divisor * divisor <= length; divisor++) assert.notEqual(length % divisor, 0, `${n}`)
  }
})

test('tableLength() stays the same within a step', () => {
  assert.deepEqual(
    [2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 24, 25].map(tableLength),
    [401, 401, 401, 601, 601, 809, 809, 1201, 1201, 1601, 1601, 2411, 2411, 3203],
  )
})

test('fillTable() leaves no hole and keeps every backend within 1 % of the mean, for 2 to 1000 backends', () => {
  for (const n of sizes) {
    const length = tableLength(n)
    const shares = counts(tableOf(range(n), length))
    assert.equal(shares.size, n)
    assert.ok(!shares.has(0))
    for (const share of shares.values()) {
      assert.ok(Math.abs(share - length / n) <= length / n / 100, `${n}: ${share} of ${length}`)
    }
  }
})

test('fillTable() gives the same table whatever the ids are', () => {
  const length = tableLength(10)
  const hashes = hashesOf(range(10), 7)
  const other = new Uint32Array(length)
  fillTable(
    other,
    length,
    range(10).map((id) => id + 5000),
    hashes,
  )
  assert.deepEqual(
    other.map((id) => id - 5000),
    tableOf(range(10), length),
  )
})

test('fillTable() depends on the seed', () => {
  assert.notDeepEqual(tableOf(range(10), 1201, 1), tableOf(range(10), 1201, 2))
})

test('fillTable() moves only about the removed backend’s slots while the length stays', () => {
  for (const n of sizes.filter((size) => size > 2)) {
    const length = tableLength(n)
    const backends = range(n)
    const before = tableOf(backends, length)
    const victim = backends[Math.floor(n / 2)] as number
    const after = tableOf(
      backends.filter((backend) => backend !== victim),
      length,
    )
    let moved = 0
    let owned = 0
    for (let slot = 0; slot < length; slot++) {
      if (before[slot] === victim) owned++
      else if (before[slot] !== after[slot]) moved++
    }
    assert.ok(!after.includes(victim))
    // The removed backend's slots shift the others' turns: Eisenbud et al., 5.3, see a few per cent at 100 slots a backend.
    assert.ok(moved <= length * 0.04, `${n}: ${moved} of ${length} moved beside the ${owned} of the removed backend`)
  }
})

test('fillTable() fills a table of one slot', () => {
  assert.deepEqual(tableOf([9], 1), Uint32Array.of(9))
})
