// SPDX-License-Identifier: Apache-2.0
/** Starts the control plane of a lab, in its own namespace. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CniName } from './cni.ts'
import { enter } from './enter.ts'
import { LabError } from './lab-error.ts'
import { type LabNames, placeOf } from './lab-names.ts'
import { program } from './program.ts'

/** Resolves when the API server serves. Like the agents it outlives this process, and ends with the lab. */
export async function startCluster(names: LabNames, cni: CniName, nodes: readonly string[]): Promise<void> {
  const logFile = join(names.folder, 'cluster.log')
  const flags = ['--lab', names.lab, '--cni', cni, ...nodes.flatMap((node) => ['--node', node])]
  const argv = enter(placeOf(names, 'control-plane'), [...program('lab/cluster-main'), ...flags])
  const [command = '', ...args] = argv
  const log = await open(logFile, 'a')
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', log.fd] })
  await log.close()
  const ended = once(child, 'exit').then(async () => {
    const words = (await readFile(logFile, 'utf8')).trim().split('\n').slice(-20).join('\n')
    throw new LabError('LAB_PROCESS_ENDED', `the control plane ended before it was ready:\n${words}`)
  })
  await Promise.race([once(child.stdout!, 'data'), ended])
  ended.catch(() => {})
  child.stdout?.destroy()
  child.unref()
}
