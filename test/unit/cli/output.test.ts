// SPDX-License-Identifier: Apache-2.0
/** JSON of the command line, and errors in its words. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeError } from '../../../src/cli/describe-error.ts'
import { toJson } from '../../../src/cli/output.ts'

test('toJson() writes bigints as numbers while those are exact, as strings beyond', () => {
  assert.equal(toJson({ a: 5n, b: 2n ** 53n }), '{\n  "a": 5,\n  "b": "9007199254740992"\n}\n')
})

test('toJson() writes maps as objects and sets as arrays', () => {
  assert.equal(toJson([new Map([['a', 1]]), new Set([2])], 0), '[{"a":1},[2]]\n')
})

test('describeError() names each cause once', () => {
  const root = new Error('EPERM')
  const middle = new Error('load maglane.bpf.o: EPERM', { cause: root })
  const error = new Error('start the agent', { cause: middle })
  assert.equal(describeError(error, false), 'start the agent: load maglane.bpf.o: EPERM')
})
