// SPDX-License-Identifier: Apache-2.0
/** Where the cgroup v2 hierarchy is mounted: the socket hooks attach to its root unless told otherwise. */

import { readFileSync } from 'node:fs'

/** Path of the first cgroup2 mount; undefined when there is none. See proc_pid_mountinfo(5). */
export function cgroupRoot(mountinfo: string = readFileSync('/proc/self/mountinfo', 'utf8')): string | undefined {
  for (const line of mountinfo.split('\n')) {
    const [mount = '', filesystem = ''] = line.split(' - ')
    if (!filesystem.startsWith('cgroup2 ')) continue
    // Blanks and the like stand as octal escapes.
    return mount
      .split(' ')[4]
      ?.replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
  }
  return undefined
}
