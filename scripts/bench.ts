// SPDX-License-Identifier: Apache-2.0
/** `npm run bench -- NAME [OPTIONS]` runs scripts/bench/NAME.ts; without a name it lists them. */

import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import process from 'node:process'

process.chdir(dirname(import.meta.dirname))
/** What the other files of scripts/bench serve. */
const names = ['compile', 'connect', 'packet']
const [name = '', ...options] = process.argv.slice(2)
if (names.includes(name)) {
  const { status } = spawnSync(process.execPath, [`scripts/bench/${name}.ts`, ...options], { stdio: 'inherit' })
  process.exitCode = status ?? 1
} else {
  console.error(`${name === '' ? '' : `No benchmark '${name}'. `}npm run bench -- ${names.join(' | ')}`)
  process.exitCode = 2
}
