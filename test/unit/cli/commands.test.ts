// SPDX-License-Identifier: Apache-2.0
/** What holds of every command. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from '../../../src/cli/command.ts'
import { commandNames, loadCommand } from '../../../src/cli/commands.ts'
import { commandHelp } from '../../../src/cli/help.ts'
import { commonOptions, parseCommand } from '../../../src/cli/parse.ts'

for (const name of commandNames) {
  test(`maglane ${name} --help says what it does, with options and examples that parse`, async () => {
    const command = (await loadCommand(name)) as Command
    assert.match(command.summary, /^[A-Z].*[^.]$/)
    assert.match(command.usage, new RegExp(`^${name}\\b`))
    assert.ok(command.examples.length > 0)
    for (const { command: line } of command.examples) {
      const [words = ''] = line.split(/ [|>] | -- /)
      const [program, called, ...rest] = words.split(' ')
      assert.deepEqual([program, called], ['maglane', name], line)
      assert.doesNotThrow(() => parseCommand(command, rest), line)
    }
    const help = commandHelp(command, { ...command.options, ...commonOptions })
    for (const option of Object.keys(command.options)) assert.ok(help.includes(option), `--${option}`)
    for (const option of Object.values(command.options)) assert.ok(option.description !== '')
  })
}

test('loadCommand() knows no command that an object merely inherits', async () => {
  assert.equal(await loadCommand('constructor'), undefined)
})
