// SPDX-License-Identifier: Apache-2.0
/** The ABI's numbers in the words of the command line. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FlowFlags, flowFlagsNames, Reason } from '../../../src/abi/generated.ts'
import { formatSeconds, secondsSince } from '../../../src/cli/live/duration.ts'
import { eventMask } from '../../../src/cli/live/event-mask.ts'
import { flagWords, reasons, verdictOf } from '../../../src/cli/live/words.ts'
import { formatBytes } from '../../../src/cli/status/format-bytes.ts'

for (const [reason, name] of reasons) {
  test(`verdictOf() takes the verdict of ${name} from its name`, () => {
    const word = name.startsWith('ANSWER_') ? 'forward' : name.split('_')[0]?.toLowerCase()
    assert.equal(verdictOf(reason), word)
  })
}

test('flagWords() names the bits that are set', () => {
  assert.deepEqual(flagWords(FlowFlags.FLOW_F_SNAT | FlowFlags.FLOW_F_LOCAL, flowFlagsNames, 'FLOW_F_'), [
    'snat',
    'local',
  ])
  assert.deepEqual(flagWords(0, flowFlagsNames, 'FLOW_F_'), [])
})

test('formatSeconds() shows the two largest units', () => {
  const shown = [0, 59, 60, 185, 7200, 7380, 93_600].map(formatSeconds)
  assert.deepEqual(shown, ['0s', '59s', '1m', '3m5s', '2h', '2h3m', '1d2h'])
})

test('secondsSince() is never negative', () => {
  assert.equal(secondsSince(5_000_000_000n, 2_000_000_000n), 0)
  assert.equal(secondsSince(2_000_000_000n, 5_999_999_999n), 3)
})

test('formatBytes() keeps two digits', () => {
  assert.deepEqual([512, 1536, 10_240, 134_217_728].map(formatBytes), ['512 B', '1.5 KiB', '10 KiB', '128 MiB'])
})

test('eventMask() leaves out what every packet has, unless it is named', () => {
  const bit = (reason: number) => 1n << BigInt(reason)
  const byDefault = eventMask([], [])
  assert.equal(byDefault & bit(Reason.FORWARD_FLOW), 0n)
  assert.equal(byDefault & bit(Reason.FORWARD_NEW), bit(Reason.FORWARD_NEW))
  assert.equal(eventMask(['forward-flow'], []), bit(Reason.FORWARD_FLOW))
  assert.equal(eventMask([], ['reject']) & ~eventMask([], ['reject', 'drop']), 0n)
  assert.equal(eventMask([], ['forward']) & bit(Reason.FORWARD_FLOW), 0n)
})

test('eventMask() refuses what is no reason and no verdict', () => {
  assert.throws(() => eventMask(['drop_it'], []), /no reason "drop_it"; there are PASS_NOT_SERVICE, /)
  assert.throws(() => eventMask([], ['deny']), /no verdict "deny"; there are pass, forward, reject, drop/)
})
