// SPDX-License-Identifier: Apache-2.0
/** The process as a command's {@link Io}. */

import process from 'node:process'
import type { Io } from './command.ts'

/** The first SIGINT or SIGTERM asks the command to end, a second one ends the process. */
export function processIo(): Io {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort())
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `maglane monitor | head`: the reader has seen enough.
    if (error.code !== 'EPIPE') throw error
    controller.abort()
  })
  return {
    stdin: process.stdin,
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    env: process.env,
    signal: controller.signal,
    terminal: process.stdout.isTTY === true,
  }
}
