// SPDX-License-Identifier: Apache-2.0
/** A pod's server as a process. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { enter } from './enter.ts'
import { LabError } from './lab-error.ts'
import type { LabPod } from './pod.ts'
import { program } from './program.ts'

export interface PodServer {
  /** Ends the process at once and waits for its end. */
  stop(): Promise<void>
}

/** Starts the server and waits until all its sockets are open. It outlives this process, for labs that are kept. */
export async function startPodServer(pod: LabPod, logFile: string): Promise<PodServer> {
  const { ipv4, ipv6 } = pod.addresses
  const ports = pod.ports.flatMap(({ protocol, port }) => [`--${protocol.toLowerCase()}`, String(port)])
  const demo = [
    ...program('demo/main'),
    '--name',
    pod.name,
    '--node',
    pod.node,
    '--address',
    ipv4,
    '--address',
    ipv6,
    ...ports,
  ]
  const [command = '', ...args] = enter(pod.place, pod.command.length > 0 ? pod.command : demo)
  // Not this process's own standard error: whoever reads that waits for its last writer, and a kept pod lives on.
  const log = await open(logFile, 'a')
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', log.fd] })
  await log.close()
  const exit = once(child, 'exit')
  const ready = once(child.stdout!, 'data')
  const ended = exit.then(([code]) => {
    throw new LabError('LAB_PROCESS_ENDED', `the server of pod ${pod.name} ended with ${code} before it listened`)
  })
  await Promise.race([ready, ended])
  ended.catch(() => {})
  child.stdout?.destroy()
  child.unref()
  return {
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      child.ref()
      await exit
    },
  }
}
