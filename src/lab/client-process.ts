// SPDX-License-Identifier: Apache-2.0
/** The near end of a client process: one in each place that a test calls from, started when it is first needed. */

import { type ChildProcess, spawn } from 'node:child_process'
import { formatPeer } from '../demo/answer.ts'
import type { ClientAnswer, ClientCommand, ClientQuestion, ClientReply, ClientTarget } from './client-protocol.ts'
import { enter, type Place } from './enter.ts'
import { LabError } from './lab-error.ts'
import { program } from './program.ts'

/** A connection that stays open until it is closed, or its process ends. */
export interface Connection extends AsyncDisposable {
  ask(question?: ClientQuestion): Promise<ClientAnswer>
  close(): Promise<void>
}

interface Waiting {
  /** For the message of an error. */
  readonly what: string
  resolve(answer: ClientAnswer | undefined): void
  reject(error: Error): void
}

type Body = ClientCommand extends infer Command ? (Command extends unknown ? Omit<Command, 'id'> : never) : never

/** A failed call, with the code that the system or the deadline gave it in the client's own process. */
export class ClientError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'ClientError'
    this.code = code
  }
}

export class ClientProcess {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0

  constructor(place: Place) {
    const [command = '', ...args] = enter(place, program('lab/client-main'))
    // Detached: Ctrl-C is for the parent, which decides what becomes of its clients.
    this.#child = spawn(command, args, { detached: true, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child.on('message', (reply: ClientReply) => this.#settle(reply))
    this.#child.on('error', () => this.#abandon())
    this.#child.on('exit', () => this.#abandon())
  }

  /** Rejects with a {@link ClientError}. */
  async open(target: ClientTarget): Promise<Connection> {
    const connection = ++this.#lastId
    const what = `${target.proto} to ${formatPeer(target)}`
    await this.#send({ op: 'open', connection, target }, what)
    const close = async (): Promise<void> => void (await this.#send({ op: 'close', connection }, what))
    return {
      ask: async (question = {}) => {
        const answer = await this.#send({ op: 'ask', connection, question }, what)
        if (answer === undefined) throw new ClientError('EPROTO', 'the client process gave no answer')
        return answer
      },
      close,
      [Symbol.asyncDispose]: close,
    }
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }

  async #send(body: Body, what: string): Promise<ClientAnswer | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<ClientAnswer | undefined>()
    const id = ++this.#lastId
    this.#waiting.set(id, { what, resolve, reject })
    this.#child.send({ ...body, id }, (error) => error && this.#abandon())
    return promise
  }

  #settle(reply: ClientReply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if ('error' in reply) waiting?.reject(new ClientError(reply.error.code, `${waiting.what}: ${reply.error.message}`))
    else waiting?.resolve(reply.answer)
  }

  #abandon(): void {
    for (const { reject } of this.#waiting.values()) {
      reject(new LabError('LAB_PROCESS_ENDED', 'the client process has ended'))
    }
    this.#waiting.clear()
  }
}
