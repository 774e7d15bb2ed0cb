// SPDX-License-Identifier: Apache-2.0
/** One agent an instance: two would write each other's maps. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const DIRECTORY = '/run/maglane'

/** Another agent runs on the instance. */
export class InstanceLockedError extends Error {
  override readonly name = 'InstanceLockedError'
  readonly code = 'INSTANCE_LOCKED'
}

/** When a process began, in ticks since boot: tells a process from a later one of the same pid (proc_pid_stat(5), 22). */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in parentheses, may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

/** The pid of the agent that holds an instance; undefined when none runs. */
export function runningAgent(instance: string): number | undefined {
  try {
    const [pid = '', start] = readFileSync(join(DIRECTORY, `${instance}.pid`), 'utf8')
      .trim()
      .split(' ')
    return start !== undefined && startOf(Number(pid)) === start ? Number(pid) : undefined
  } catch {
    return undefined
  }
}

/** Takes the instance for this process; disposing gives it back. @throws InstanceLockedError */
export function lockInstance(instance: string): Disposable {
  mkdirSync(DIRECTORY, { recursive: true, mode: 0o755 })
  const path = join(DIRECTORY, `${instance}.pid`)
  const own = `${process.pid} ${startOf(process.pid) ?? ''}\n`
  for (;;) {
    try {
      writeFileSync(path, own, { flag: 'wx', mode: 0o644 })
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const pid = runningAgent(instance)
    if (pid !== undefined) {
      throw new InstanceLockedError(
        `Instance ${instance} has an agent already, process ${pid}; stop it or give --instance`,
      )
    }
    rmSync(path, { force: true })
  }
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) }
}
