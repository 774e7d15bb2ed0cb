// SPDX-License-Identifier: Apache-2.0
/** Regions: disjoint, best fit, merged, rested before reuse. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Arena, type Region } from '../../src/compiler/arena.ts'

function arena(slots: number, clock = { nowMs: 0 }) {
  return new Arena({ slots, graceMs: 100, now: () => clock.nowMs })
}

test('allocate() gives disjoint regions until nothing fits', () => {
  const slots = arena(10)
  assert.deepEqual(
    [slots.allocate(4), slots.allocate(6), slots.allocate(1)],
    [{ offset: 0, length: 4 }, { offset: 4, length: 6 }, undefined],
  )
  assert.equal(slots.used, 10)
})

test('a freed region rests, then merges with its neighbours', () => {
  const clock = { nowMs: 0 }
  const slots = arena(9, clock)
  const regions = [slots.allocate(3), slots.allocate(3), slots.allocate(3)] as Region[]
  for (const region of [regions[1], regions[0], regions[2]] as Region[]) slots.free(region)
  assert.equal(slots.allocate(1), undefined)
  clock.nowMs = 100
  assert.deepEqual(slots.allocate(9), { offset: 0, length: 9 })
})

test('allocate() takes the smallest hole that is large enough', () => {
  const slots = arena(20)
  const [wide, , narrow] = [slots.allocate(6), slots.allocate(1), slots.allocate(3), slots.allocate(10)] as Region[]
  slots.cancel(wide as Region)
  slots.cancel(narrow as Region)
  assert.deepEqual(slots.allocate(3), narrow)
})

test('claim() takes what was found in the maps, and nothing twice', () => {
  const slots = arena(10)
  assert.equal(slots.claim({ offset: 2, length: 3 }), true)
  assert.equal(slots.claim({ offset: 4, length: 3 }), false)
  assert.equal(slots.claim({ offset: 8, length: 3 }), false)
  assert.deepEqual(
    [slots.allocate(2), slots.allocate(5)],
    [
      { offset: 0, length: 2 },
      { offset: 5, length: 5 },
    ],
  )
})

test('regions never overlap, and all that is freed comes back', () => {
  const clock = { nowMs: 0 }
  const slots = arena(1000, clock)
  const owners = new Array<number>(1000).fill(0)
  const live: Region[] = []
  let state = 7
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  for (let round = 1; round < 5000; round++) {
    clock.nowMs += random(50)
    if (random(2) === 0 && live.length > 0) {
      const [region] = live.splice(random(live.length), 1) as [Region]
      owners.fill(0, region.offset, region.offset + region.length)
      slots.free(region)
      continue
    }
    const region = slots.allocate(1 + random(60))
    if (region === undefined) continue
    assert.ok(owners.slice(region.offset, region.offset + region.length).every((owner) => owner === 0))
    owners.fill(round, region.offset, region.offset + region.length)
    live.push(region)
  }
  for (const region of live) slots.free(region)
  clock.nowMs += 100
  assert.deepEqual(slots.allocate(1000), { offset: 0, length: 1000 })
})
