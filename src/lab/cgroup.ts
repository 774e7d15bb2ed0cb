// SPDX-License-Identifier: Apache-2.0
/** A lab's cgroups (v2): one for each node, so that a node's socket hooks see the processes of that node only. */

import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from './lab-error.ts'
import { until } from './until.ts'

/** Where cgroup v2 is mounted: /sys/fs/cgroup, or beside the v1 controllers in hybrid mode. */
export async function cgroupMount(): Promise<string> {
  const mountinfo = await readFile('/proc/self/mountinfo', 'utf8')
  for (const line of mountinfo.split('\n')) {
    // proc_pid_mountinfo(5): the file system's type follows the separator, the mount point is the fifth field.
    const [fields = '', system = ''] = line.split(' - ')
    const mountPoint = fields.split(' ')[4]
    if (system.startsWith('cgroup2 ') && mountPoint !== undefined) return mountPoint
  }
  throw new LabError('LAB_UNSUPPORTED', 'cgroup v2 is not mounted: mount -t cgroup2 none /sys/fs/cgroup')
}

export async function createCgroup(path: string): Promise<void> {
  await mkdir(path, { recursive: true })
}

/** Kills every process of a cgroup and of those below it, waits for their end, and removes the cgroups. */
export async function removeCgroup(path: string): Promise<void> {
  // A child that forked in the meantime is caught too: cgroup.kill (Linux 5.14) is atomic.
  if (!(await writeIfPresent(join(path, 'cgroup.kill'), '1'))) return
  await until('the lab’s processes have ended', async () =>
    (await readFile(join(path, 'cgroup.events'), 'utf8')).includes('populated 0'),
  )
  await removeTree(path)
}

async function removeTree(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeTree(join(path, entry.name))
  }
  await rmdir(path)
}

async function writeIfPresent(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
