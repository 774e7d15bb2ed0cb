// SPDX-License-Identifier: Apache-2.0
/** From words to a command's arguments. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Command, defineCommand, UsageError } from '../../../src/cli/command.ts'
import { parseCommand } from '../../../src/cli/parse.ts'

const command = defineCommand({
  summary: 'Test',
  usage: 'test',
  options: {
    node: { type: 'string', description: 'Name' },
    ip: { type: 'string', multiple: true, description: 'Address' },
    localhost: { type: 'boolean', default: true, description: 'Loopback' },
  },
  examples: [],
  run: async () => 0,
}) as unknown as Command

test('parseCommand() splits options, positionals and the output format', () => {
  const args = parseCommand(command, ['services', '--ip', '10.0.0.1', '--ip=::1', '-o', 'json', '--no-localhost'])
  assert.deepEqual(args.positionals, ['services'])
  assert.deepEqual({ ...args.values }, { ip: ['10.0.0.1', '::1'], localhost: false })
  assert.equal(args.output, 'json')
  assert.equal(args.help, false)
})

test('parseCommand() gives defaults where an option is absent', () => {
  const args = parseCommand(command, [])
  assert.deepEqual({ ...args.values }, { localhost: true })
  assert.equal(args.output, 'text')
})

for (const [word, localhost] of [
  ['--localhost', true],
  ['--localhost=true', true],
  ['--localhost=false', false],
  ['--no-localhost', false],
] as const) {
  test(`parseCommand() reads ${word} as ${localhost}`, () => {
    assert.equal((parseCommand(command, [word]).values as { localhost?: boolean }).localhost, localhost)
  })
}

for (const [words, message] of [
  [['--nod', 'a'], "Unknown option '--nod'"],
  [['--node'], "Option '--node <value>' argument missing"],
  [['-o', 'yaml'], '-o takes text or json, got "yaml"'],
] as const) {
  test(`parseCommand() refuses ${words.join(' ')}`, () => {
    assert.throws(
      () => parseCommand(command, words),
      (error) => error instanceof UsageError && error.message === message,
    )
  })
}
