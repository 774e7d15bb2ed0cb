// SPDX-License-Identifier: Apache-2.0
/** The gate, without root and in seconds: format, lint, types, generated files, unit tests. `--fix` formats first. */

import { dirname } from 'node:path'
import process from 'node:process'
import { $, argv, chalk, type ProcessPromise } from 'zx'

interface Step {
  readonly name: string
  readonly run: () => ProcessPromise
}

process.chdir(dirname(import.meta.dirname))
const node = process.execPath
const quiet = $({ nothrow: true, quiet: true })

// All at once: on two cores they take as long as the longest two.
const steps: readonly Step[] = [
  { name: 'format, lint', run: () => quiet`biome check --error-on-warnings .` },
  { name: 'types', run: () => quiet`tsc --project .` },
  { name: 'generated files', run: () => quiet`${node} scripts/gen-abi.ts --check` },
  { name: 'unit tests', run: () => quiet`${node} scripts/test.ts unit` },
]

if (argv.fix === true) await $`biome check --write .`

const failures = await Promise.all(steps.map(runStep))
process.exitCode = failures.some((failed) => failed) ? 1 : 0

/** @returns whether the step failed; what it printed is shown only then. */
async function runStep({ name, run }: Step): Promise<boolean> {
  const output = await run()
  const seconds = (output.duration / 1000).toFixed(1)
  console.log(`${output.ok ? chalk.green('ok  ') : chalk.red('FAIL')} ${name} (${seconds} s)`)
  if (!output.ok) console.log(`${output.stdout}${output.stderr}`)
  return !output.ok
}
