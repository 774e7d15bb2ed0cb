// SPDX-License-Identifier: Apache-2.0
/** `maglane lab`, as `npm start` runs it. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { test } from 'node:test'
import { labsFolder } from '../../src/lab/lab-names.ts'
import { readLabRecords } from '../../src/lab/lab-record.ts'
import { listNamespaces } from '../../src/lab/namespace.ts'
import { program } from '../../src/lab/program.ts'
import { run, runChecked } from '../../src/lab/run.ts'
import type { TourReport } from '../../src/lab/run-tour.ts'
import { skipWithoutRoot } from './skip.ts'

const maglane = program('cli/main')

test(
  'the tour calls every example from a pod, a node and outside, and every call is answered',
  skipWithoutRoot,
  async () => {
    const { stdout, stderr, code } = await run([...maglane, 'lab', '--json'])
    assert.equal(code, 0, stderr + stdout)
    const report = JSON.parse(stdout) as TourReport
    assert.equal(report.failed, 0)
    assert.deepEqual(new Set(report.calls.map(({ from }) => from)), new Set(['client-a', 'node-a', 'outside']))
    const kinds = new Set(report.calls.map(({ kind }) => kind))
    for (const kind of ['clusterIP', 'nodePort', 'externalIP'] as const)
      assert.ok(kinds.has(kind), `an example has a ${kind}`)
    assert.ok(report.scaling.length === 2 && report.scaling.every(({ calls }) => calls > 0))
    assert.deepEqual(await leftovers(report.lab), [])
  },
)

test('a lab that is kept answers until it is taken down', skipWithoutRoot, async () => {
  const { stdout } = await run([...maglane, 'lab', '--keep', '--cni', 'bridge'])
  const lab = /maglane lab down (\S+)/.exec(stdout)?.[1] ?? ''
  try {
    const example = /bin\/maglane lab exec (.* curl .*)/.exec(stdout)?.[1]?.split(' ') ?? []
    assert.match(await runChecked([...maglane, 'lab', 'exec', ...example]), /^Hostname: /)
  } finally {
    await runChecked([...maglane, 'lab', 'down', lab])
  }
  assert.deepEqual(await leftovers(lab), [])
})

test('an interrupted tour takes its lab down', skipWithoutRoot, async () => {
  const [command = '', ...args] = [...maglane, 'lab']
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  await once(child.stdout, 'data')
  const lab = (await readLabRecords()).find(({ owner }) => owner.pid === child.pid)?.lab ?? ''
  assert.notEqual(lab, '')
  child.kill('SIGINT')
  assert.deepEqual(await exit, [130, null])
  assert.deepEqual(await leftovers(lab), [])
})

test('a lab whose owner was killed is taken down by the next one', skipWithoutRoot, async () => {
  const [command = '', ...args] = [...maglane, 'lab']
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  await once(child.stdout, 'data')
  const lab = (await readLabRecords()).find(({ owner }) => owner.pid === child.pid)?.lab ?? ''
  child.kill('SIGKILL')
  await exit
  assert.notDeepEqual(await leftovers(lab), [])
  assert.equal((await run([...maglane, 'lab', '--json'])).code, 0)
  assert.deepEqual(await leftovers(lab), [])
})

/** What a lab has on the machine: namespaces, its folder, pins, cgroups. */
async function leftovers(lab: string): Promise<string[]> {
  const pins = await readdir('/sys/fs/bpf/maglane').catch(() => [])
  const labs = await readdir(labsFolder)
  const cgroups = (await runChecked(['find', '/sys/fs/cgroup', '-name', `maglane-${lab}*`])).split('\n')
  return [...(await listNamespaces(lab)), ...[...labs, ...pins, ...cgroups].filter((name) => name.includes(lab))]
}
