// SPDX-License-Identifier: Apache-2.0
/** A cgroup (v2) of the bench's own, with this process in it. */

import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface BenchCgroup extends Disposable {
  readonly path: string
}

/** Moves this process into a new cgroup, and back again at the end. */
export function enterBenchCgroup(): BenchCgroup {
  const mount = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.includes(' - cgroup2 '))
    ?.split(' ')[4]
  if (mount === undefined) throw new Error('cgroup v2 is not mounted: mount -t cgroup2 none /sys/fs/cgroup')
  // cgroups(7): the line of hierarchy 0 is version 2's.
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/'
  const path = join(mount, `maglane-bench-${randomBytes(4).toString('hex')}`)
  const move = (folder: string) => writeFileSync(join(folder, 'cgroup.procs'), String(process.pid))
  mkdirSync(path)
  try {
    move(path)
  } catch (error) {
    rmdirSync(path)
    throw error
  }
  return {
    path,
    [Symbol.dispose]() {
      move(join(mount, own))
      rmdirSync(path)
    },
  }
}
