// SPDX-License-Identifier: Apache-2.0
/** From a client's message to the answer's: what the zone knows, and what upstreams know of the rest. */

import type { Answer } from 'dns-packet'
import { answer, type Question, type ZoneAnswer } from './answer.ts'
import { REVERSE_ZONES } from './names.ts'
import type { Upstreams } from './upstreams.ts'
import {
  emptyReply,
  type Query,
  Rcode,
  type Reply,
  rcodeOf,
  readQuery,
  type Transport,
  writeRefusal,
  writeReply,
} from './wire.ts'
import type { Zone } from './zone.ts'

export class Responder {
  /** What is answered from; replaced whole. */
  zone: Zone
  readonly #upstreams: Upstreams
  #turn = 0

  constructor(zone: Zone, upstreams: Upstreams) {
    this.zone = zone
    this.#upstreams = upstreams
  }

  /** Undefined where the message deserves no answer. Never rejects. */
  async respond(message: Buffer, transport: Transport): Promise<Buffer | undefined> {
    const read = readQuery(message)
    if (read === undefined) return undefined
    if ('refusal' in read)
      return read.query
        ? this.#write(read.query, emptyReply(read.refusal), transport)
        : writeRefusal(message, read.refusal)
    try {
      const found = answer(read.question, this.zone)
      if (found === undefined || this.#isForOthers(found)) return await this.#forward(read, transport)
      return this.#write(read, await this.#complete(read.question, found), transport)
    } catch {
      return this.#write(read, emptyReply(Rcode.SERVFAIL), transport)
    }
  }

  /** A reverse name that no Service has may be somebody's outside. */
  #isForOthers({ rcode, origin }: ZoneAnswer): boolean {
    return rcode === 'NXDOMAIN' && !this.#upstreams.empty && REVERSE_ZONES.some((zone) => zone === origin)
  }

  async #forward(query: Query, transport: Transport): Promise<Buffer> {
    if (this.#upstreams.empty) return this.#write(query, emptyReply(Rcode.REFUSED), transport)
    return await this.#upstreams.exchange(query.message, transport)
  }

  /** Goes after a CNAME that leads outside, so that stub resolvers, which do not, get an address. */
  async #complete(question: Question, found: ZoneAnswer): Promise<Reply> {
    const { answers, authorities, additionals, follow } = found
    const reply = {
      rcode: Rcode[found.rcode],
      authoritative: true,
      answers: this.#rotate(answers),
      authorities,
      additionals,
    }
    if (follow === undefined || this.#upstreams.empty) return reply
    const outside = await this.#upstreams.lookUp(follow, question.type)
    const rcode = rcodeOf(outside)
    if (rcode !== Rcode.NOERROR && rcode !== Rcode.NXDOMAIN) return emptyReply(Rcode.SERVFAIL)
    return { ...reply, rcode, answers: [...reply.answers, ...(outside.answers ?? [])] }
  }

  /** Clients take the first address: each gets another one first. A CNAME stays in front of what it leads to. */
  #rotate(answers: readonly Answer[]): readonly Answer[] {
    const first = answers.findIndex(({ type }) => type !== 'CNAME')
    if (first < 0) return answers
    const rotated = answers.slice(first)
    const by = this.#turn++ % rotated.length
    return [...answers.slice(0, first), ...rotated.slice(by), ...rotated.slice(0, by)]
  }

  #write(query: Query, reply: Reply, transport: Transport): Buffer {
    return writeReply(query, reply, transport, !this.#upstreams.empty)
  }
}
