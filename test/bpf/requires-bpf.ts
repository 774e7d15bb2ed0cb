// SPDX-License-Identifier: Apache-2.0
/** What the tests of this folder share: whether they can run here, names that no other run has, places of their own. */

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { TestContext } from 'node:test'
import { BPFFS, removePinDirectory } from '../../src/bpf/bpffs.ts'

/** The object of bpf/test/loader.bpf.c. */
export const loaderObject = join(import.meta.dirname, '../../bpf/dist/test/loader.o')

/** For `test(name, { skip }, …)`: the reason why BPF cannot be tested here, or false. */
export const skip = process.getuid?.() === 0 ? false : 'SKIPPED: loading BPF programs needs root'

if (skip === false && !existsSync(loaderObject))
  throw new Error(`${loaderObject} is missing: run node scripts/build-bpf.ts`)

/** Short, for the names of devices too. */
export function uniqueName(): string {
  return `mt${randomBytes(4).toString('hex')}`
}

/** A pin folder that is removed after the test. */
export function pinDirectory(context: TestContext): string {
  const directory = join(BPFFS, 'maglane', uniqueName())
  context.after(() => removePinDirectory(directory))
  return directory
}

/** A network namespace with two ends of a veth, `near` and `far`, that are up; gone after the test. @returns its path. */
export function networkNamespace(context: TestContext): string {
  const name = uniqueName()
  const ip = (...args: string[]) => execFileSync('ip', args)
  ip('netns', 'add', name)
  context.after(() => ip('netns', 'del', name))
  ip('-n', name, 'link', 'set', 'lo', 'up')
  ip('-n', name, 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far')
  for (const device of ['near', 'far']) ip('-n', name, 'link', 'set', device, 'up')
  return join('/run/netns', name)
}

/** An empty cgroup v2, gone after the test. @returns its folder. */
export function emptyCgroup(context: TestContext): string {
  const mount = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.includes(' - cgroup2 '))
    ?.split(' ')[4]
  if (mount === undefined) throw new Error('No cgroup2 is mounted: run scripts/bootstrap.sh')
  const folder = join(mount, uniqueName())
  mkdirSync(folder)
  context.after(() => rmdirSync(folder))
  return folder
}
