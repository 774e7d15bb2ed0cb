// SPDX-License-Identifier: Apache-2.0
/**
 * Runs the tests. `npm test`: the gate (check.ts, which runs the unit tests), then the others. `npm test -- lab`: a folder
 * of test/. `npm test -- test/bpf/x.test.ts`: a file.
 *
 * What needs root skips without it; with CI=true a skipped test fails the run, because a gate that tests nothing is green.
 */

import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import process from 'node:process'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

interface Suite {
  readonly name: string
  /** Test files that run at the same time. */
  readonly concurrency: number
  /** Script that runs before, and makes what the tests need. */
  readonly prepare?: string
}

const cores = availableParallelism()

const suites: readonly Suite[] = [
  { name: 'unit', concurrency: cores },
  { name: 'bpf', concurrency: cores },
  { name: 'fuzz', concurrency: cores },
  // The first time, where there is Go, a build of ten minutes.
  { name: 'kube', concurrency: 1, prepare: 'scripts/kube-assets.ts' },
  // Nodes with agents of their own: two labs at once would measure each other.
  { name: 'lab', concurrency: 1 },
]

const FILE_TIMEOUT_MS = 10 * 60_000

process.chdir(dirname(import.meta.dirname))
const wanted = process.argv.slice(2)
if (wanted.length === 0 && spawnSync(process.execPath, ['scripts/check.ts'], { stdio: 'inherit' }).status !== 0)
  process.exit(1)

let failed = 0
let skipped = 0
for (const suite of suites) {
  const files = filesOf(suite.name)
  if (files.length === 0) continue
  console.log(`\n# ${suite.name}`)
  if (suite.prepare !== undefined) spawnSync(process.execPath, [suite.prepare], { stdio: 'inherit' })
  await runFiles(files, suite.concurrency)
}

if (skipped > 0) {
  console.log(`\n${skipped} tests were SKIPPED${process.getuid?.() === 0 ? '' : ': they need root'}`)
  if (process.env.CI === 'true') console.log('CI=true: a skipped test fails the run')
}
process.exitCode = failed > 0 || (skipped > 0 && process.env.CI === 'true') ? 1 : 0

function filesOf(suite: string): string[] {
  const files = globSync(`test/${suite}/**/*.test.ts`).sort()
  if (wanted.length === 0) return suite === 'unit' ? [] : files
  return wanted.includes(suite) ? files : files.filter((file) => wanted.includes(file))
}

async function runFiles(files: string[], concurrency: number): Promise<void> {
  const events = run({ files, concurrency, timeout: FILE_TIMEOUT_MS })
  // The summary without a file is that of the whole run.
  events.on('test:summary', ({ file, counts, success }) => {
    if (file !== undefined) return
    failed += success ? 0 : 1
    skipped += counts.skipped
  })
  for await (const text of events.compose(spec())) process.stdout.write(text)
}
