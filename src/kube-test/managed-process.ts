// SPDX-License-Identifier: Apache-2.0
/** A program that runs as long as whoever started it, and says why when it does not. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 25
const LOG_LINES = 15
/** kube-apiserver would drain for a minute. */
const GRACE_MS = 2_000

export interface ProcessOptions {
  readonly command: string
  readonly args: readonly string[]
  /** File that its output is appended to. */
  readonly log: string
}

export class ManagedProcess {
  readonly #options: ProcessOptions
  readonly #child: ChildProcess

  constructor(options: ProcessOptions) {
    this.#options = options
    const log = openSync(options.log, 'a')
    // The kernel ends it with its parent, by whatever cause that ends (prctl(2), PR_SET_PDEATHSIG).
    const args = ['--pdeathsig', 'KILL', options.command, ...options.args]
    this.#child = spawn('setpriv', args, { stdio: ['ignore', log, log] })
    this.#child.on('error', () => undefined)
    closeSync(log)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves when the condition holds. Throws, with the end of the log, when the program ends or the time is up. */
  async until(condition: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (!(await condition())) {
      if (!this.running) throw this.#fault('ended')
      if (performance.now() > deadline) throw this.#fault(`is not ready after ${timeoutMs} ms`)
      await delay(POLL_MS)
    }
  }

  /** A program that is asked politely and takes longer than {@link GRACE_MS} is killed. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.running) return
    const exit = once(this.#child, 'exit')
    this.#child.kill(signal)
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), GRACE_MS)
    await exit
    clearTimeout(patience)
  }

  #fault(what: string): Error {
    const { command, log } = this.#options
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LOG_LINES)
    return new Error(`${command} ${what}:\n${lines.join('\n')}`)
  }
}
