// SPDX-License-Identifier: Apache-2.0
/** ownSourceSettings(): what replies to the node itself need. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ownSourceSettings } from '../../src/node/own-sources.ts'

test('ownSourceSettings() opens the device of the node address, and lo where 127.0.0.1 has NodePorts', () => {
  const device = { device: 'eth0', name: 'accept_local' }
  assert.deepEqual(ownSourceSettings('eth0', false), [device])
  assert.deepEqual(ownSourceSettings('eth0', true), [
    device,
    { device: 'lo', name: 'accept_local' },
    { device: 'lo', name: 'route_localnet' },
  ])
  assert.deepEqual(ownSourceSettings(undefined, false), [])
})
