// SPDX-License-Identifier: Apache-2.0
/** Which network namespace an instance's devices belong to. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSameNamespace } from '../../../src/cli/live/devices.ts'

const links = [
  { ifindex: 1, ifname: 'lo', address: '00:00:00:00:00:00' },
  { ifindex: 2, ifname: 'eth0', address: '02:00:00:00:00:0a' },
]
const loopback = [1, { mac: [0, 0, 0, 0, 0, 0] }] as const

test('isSameNamespace() knows a device by index and address', () => {
  assert.equal(isSameNamespace([loopback, [2, { mac: [2, 0, 0, 0, 0, 10] }]], links), true)
})

test('isSameNamespace() takes an equal index with another address for another device', () => {
  assert.equal(isSameNamespace([[2, { mac: [2, 0, 0, 0, 0, 11] }]], links), false)
})

test('isSameNamespace() learns nothing from loopback, and nothing from no device', () => {
  assert.equal(isSameNamespace([loopback], links), false)
  assert.equal(isSameNamespace([], links), false)
})
