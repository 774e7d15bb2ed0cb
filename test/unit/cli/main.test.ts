// SPDX-License-Identifier: Apache-2.0
/** The program as a whole: its exit status, and which stream speaks. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commandNames } from '../../../src/cli/commands.ts'
import { main } from '../../../src/cli/main.ts'

async function run(...words: string[]) {
  let stdout = ''
  let stderr = ''
  const status = await main(words, {
    stdin: (async function* () {})(),
    stdout: (text) => {
      stdout += text
    },
    stderr: (text) => {
      stderr += text
    },
    env: {},
    signal: new AbortController().signal,
    terminal: false,
  })
  return { status, stdout, stderr }
}

for (const words of [[], ['--help'], ['-h'], ['help']]) {
  test(`maglane ${words.join(' ')} lists every command`, async () => {
    const { status, stdout, stderr } = await run(...words)
    assert.equal(status, 0)
    assert.equal(stderr, '')
    for (const name of commandNames) assert.match(stdout, new RegExp(`^  ${name} {2,}[A-Z]`, 'm'))
  })
}

test('maglane help get is maglane get --help', async () => {
  assert.deepEqual(await run('help', 'get'), await run('get', '--help'))
})

test('maglane --version names the version of the package', async () => {
  assert.match((await run('--version')).stdout, /^maglane \d+\.\d+\.\d+\n$/)
})

test('maglane with an unknown command fails with a hint, and prints nothing else', async () => {
  assert.deepEqual(await run('gett'), {
    status: 2,
    stdout: '',
    stderr: 'maglane: unknown command "gett"\nTry: maglane --help\n',
  })
})

test('maglane get with an unknown option names it, and hints at the help of get', async () => {
  const { status, stderr } = await run('get', 'services', '--nope')
  assert.equal(status, 2)
  assert.equal(stderr, "maglane: Unknown option '--nope'\nTry: maglane get --help\n")
})
