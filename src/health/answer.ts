// SPDX-License-Identifier: Apache-2.0
/** What the agent's servers answer: made by pure functions, sent at one place. */

import type { IncomingMessage, ServerResponse } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** @param path Without the query. Undefined: there is nothing of that name. */
export type Answerer = (path: string) => Answer | undefined | Promise<Answer | undefined>

const NOT_FOUND: Answer = textAnswer(404, 'not found\n')
const NOT_ALLOWED: Answer = { ...textAnswer(405, 'only GET and HEAD\n'), headers: { Allow: 'GET, HEAD' } }

export function textAnswer(status: number, body: string, contentType = 'text/plain; charset=utf-8'): Answer {
  return { status, headers: { 'Content-Type': contentType, 'X-Content-Type-Options': 'nosniff' }, body }
}

export function jsonAnswer(status: number, value: unknown, headers: Answer['headers'] = {}): Answer {
  const answer = textAnswer(status, `${JSON.stringify(value)}\n`, 'application/json')
  return { ...answer, headers: { ...answer.headers, ...headers } }
}

/** Answers one request. A failure of the answerer is a 500 that says why. */
export async function sendAnswer(
  answerer: Answerer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, headers, body } = await answerTo(answerer, request)
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) })
  response.end(request.method === 'HEAD' ? undefined : body)
}

async function answerTo(answerer: Answerer, { method, url = '/' }: IncomingMessage): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') return NOT_ALLOWED
  try {
    return (await answerer(url.replace(/[?#].*$/s, ''))) ?? NOT_FOUND
  } catch (error) {
    return textAnswer(500, `${error instanceof Error ? error.message : String(error)}\n`)
  }
}
