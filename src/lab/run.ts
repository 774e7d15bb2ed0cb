// SPDX-License-Identifier: Apache-2.0
/** Runs the system's commands: ip, nft, sh. */

import { spawn } from 'node:child_process'
import { LabError } from './lab-error.ts'

export interface RunOptions {
  /** Written to the command's standard input, which is empty otherwise. */
  readonly input?: string
  /** Kills the command; default 60,000. */
  readonly timeoutMs?: number
  readonly env?: NodeJS.ProcessEnv
}

export interface RunResult {
  /** Exit code, or 128 + the signal's number as a shell says it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end, whatever its exit code. Rejects with LAB_COMMAND_FAILED only if it could not be started. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [command = '', ...args] = argv
  const { promise, resolve, reject } = Promise.withResolvers<RunResult>()
  const child = spawn(command, args, { timeout: options.timeoutMs ?? 60_000, env: options.env ?? process.env })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  // A command that ends without reading its input is judged by its exit code.
  child.stdin.on('error', () => {}).end(options.input ?? '')
  child.on('error', (cause) =>
    reject(new LabError('LAB_COMMAND_FAILED', `cannot run ${command}: ${cause.message}`, { cause })),
  )
  child.on('close', (code) => resolve({ code: code ?? 128 + 15, ...output }))
  return promise
}

/** Runs a command that must succeed, and gives its standard output. */
export async function runChecked(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(argv, options)
  if (result.code !== 0) {
    const said = (result.stderr || result.stdout).trim().split('\n').slice(-5).join('\n')
    throw new LabError('LAB_COMMAND_FAILED', `${argv.slice(0, 6).join(' ')} ended with ${result.code}: ${said}`)
  }
  return result.stdout
}
