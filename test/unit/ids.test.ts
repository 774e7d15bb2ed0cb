// SPDX-License-Identifier: Apache-2.0
/** Ids: unique, restored, rested before reuse. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IdAllocator } from '../../src/compiler/id-allocator.ts'

function allocator(limit: number, clock = { nowMs: 0 }) {
  return new IdAllocator({ limit, graceMs: 100, now: () => clock.nowMs })
}

test('take() gives 1 to limit − 1, each once, then nothing', () => {
  const ids = allocator(4)
  assert.deepEqual([ids.take(), ids.take(), ids.take(), ids.take()], [1, 2, 3, undefined])
})

test('a released id rests for the grace period', () => {
  const clock = { nowMs: 0 }
  const ids = allocator(3, clock)
  ids.take()
  ids.take()
  ids.release(1)
  clock.nowMs = 99
  assert.equal(ids.take(), undefined)
  clock.nowMs = 100
  assert.equal(ids.take(), 1)
})

test('a claimed id is not given, and is claimed once', () => {
  const ids = allocator(4)
  assert.deepEqual([ids.claim(2), ids.claim(2), ids.claim(0), ids.claim(4)], [true, false, false, false])
  assert.deepEqual([ids.take(), ids.take(), ids.take()], [1, 3, undefined])
})

test('a quarantined id rests though it was never given', () => {
  const clock = { nowMs: 0 }
  const ids = allocator(3, clock)
  ids.quarantine(1)
  assert.deepEqual([ids.take(), ids.take()], [2, undefined])
  clock.nowMs = 100
  assert.deepEqual([ids.take(), ids.take()], [1, undefined])
})

test('an id that is cancelled is free at once', () => {
  const ids = allocator(2)
  ids.cancel(ids.take() as number)
  assert.equal(ids.take(), 1)
})

test('no id has two owners, whatever is taken, released and cancelled', () => {
  const clock = { nowMs: 0 }
  const ids = allocator(50, clock)
  const owned: number[] = []
  let state = 1
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  for (let round = 0; round < 20_000; round++) {
    clock.nowMs += random(20)
    const index = random(owned.length + 1)
    if (random(2) === 0 && owned.length > 0) {
      const [id] = owned.splice(index % owned.length, 1) as [number]
      if (random(3) === 0) ids.cancel(id)
      else ids.release(id)
      continue
    }
    const id = ids.take()
    if (id === undefined) continue
    assert.ok(!owned.includes(id))
    owned.push(id)
  }
  assert.equal(ids.size, owned.length)
})
