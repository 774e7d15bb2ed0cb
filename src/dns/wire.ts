// SPDX-License-Identifier: Apache-2.0
/** DNS messages (RFC 1035), with EDNS (RFC 6891) and truncation (RFC 2181, 9): from bytes to a question, from records to bytes. */

import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  type DecodedPacket,
  DNSSEC_OK,
  decode,
  encode,
  type OptAnswer,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  type RecordType,
  TRUNCATED_RESPONSE,
} from 'dns-packet'
import type { Question } from './answer.ts'

/** RFC 1035, 4.1.1; RFC 6891, 9. */
export const Rcode = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const
export type Rcode = (typeof Rcode)[keyof typeof Rcode]

const HEADER_BYTES = 12
const RESPONSE_BIT = 0x8000
const OPCODE_BITS = 0x7800

/** Without EDNS (RFC 1035, 4.2.1). */
const PLAIN_UDP_BYTES = 512
/** What no path fragments (DNS flag day 2020): the most that is sent, and asked for. */
export const UDP_BYTES = 1232
const TCP_BYTES = 65_535

export type Transport = 'udp' | 'tcp'

export interface Query {
  readonly message: Buffer
  readonly question: Question
  readonly id: number
  readonly recursionDesired: boolean
  /** Undefined: the client knows no EDNS. */
  readonly edns: { readonly payloadBytes: number; readonly dnssecOk: boolean } | undefined
}

export interface Reply {
  /** As {@link Rcode} has them. */
  readonly rcode: number
  readonly authoritative: boolean
  readonly answers: readonly Answer[]
  readonly authorities: readonly Answer[]
  readonly additionals: readonly Answer[]
}

/** A query, one that is refused unseen with its code, or undefined for what nobody must answer: no message, or itself an answer. */
export function readQuery(message: Buffer): Query | { readonly refusal: Rcode; readonly query?: Query } | undefined {
  if (message.length < HEADER_BYTES || (message.readUInt16BE(2) & RESPONSE_BIT) !== 0) return undefined
  if ((message.readUInt16BE(2) & OPCODE_BITS) !== 0) return { refusal: Rcode.NOTIMP }
  const packet = decodeOrUndefined(message)
  const [question, ...more] = packet?.questions ?? []
  const options = (packet?.additionals ?? []).filter((record): record is OptAnswer => record.type === 'OPT')
  if (packet === undefined || question === undefined || more.length > 0 || options.length > 1)
    return { refusal: Rcode.FORMERR }
  const [option] = options
  const query: Query = {
    message,
    question: { name: question.name, type: question.type },
    id: packet.id ?? 0,
    recursionDesired: packet.flag_rd,
    edns: option && { payloadBytes: option.udpPayloadSize, dnssecOk: option.flag_do },
  }
  if ((option?.ednsVersion ?? 0) > 0) return { refusal: Rcode.BADVERS, query }
  const transfer = ['AXFR', 'IXFR'].includes(question.type)
  return transfer || !['IN', 'ANY'].includes(question.class ?? 'IN') ? { refusal: Rcode.REFUSED, query } : query
}

/** A reply without records. */
export function emptyReply(rcode: number): Reply {
  return { rcode, authoritative: false, answers: [], authorities: [], additionals: [] }
}

/** Cuts the reply to what the client takes: additional records go silently, answers from the end, and then it says so. */
export function writeReply(query: Query, reply: Reply, transport: Transport, recursionAvailable: boolean): Buffer {
  const limit = transport === 'tcp' ? TCP_BYTES : udpLimit(query)
  const write = (answers: number, additionals: readonly Answer[]): Buffer =>
    encodeReply(query, { ...reply, answers: reply.answers.slice(0, answers), additionals }, recursionAvailable, {
      truncated: answers < reply.answers.length,
    })
  const all = reply.answers.length
  for (const additionals of [reply.additionals, []]) {
    const message = write(all, additionals)
    if (message.length <= limit) return echoes(query, message) ? message : writeRefusal(query.message, Rcode.REFUSED)
  }
  // Old resolvers that know no TCP make do with what there is.
  let [fits, tooMany] = [0, all]
  while (tooMany - fits > 1) {
    const middle = (fits + tooMany) >> 1
    if (write(middle, []).length <= limit) fits = middle
    else tooMany = middle
  }
  return write(fits, [])
}

/** The answer to a message that could not be read: its header, with the code. */
export function writeRefusal(message: Buffer, rcode: Rcode): Buffer {
  const reply = Buffer.alloc(HEADER_BYTES)
  message.copy(reply, 0, 0, HEADER_BYTES)
  const kept = message.readUInt16BE(2) & (OPCODE_BITS | RECURSION_DESIRED)
  reply.writeUInt16BE(RESPONSE_BIT | kept | rcode, 2)
  return reply.fill(0, 4)
}

/** A query of our own, for an upstream server. */
export function writeQuery(name: string, type: string): Buffer {
  return encode({
    type: 'query',
    flags: RECURSION_DESIRED,
    questions: [{ name, type: type as RecordType }],
    additionals: [optRecord(0, false)],
  })
}

/** Undefined for what is no DNS message. */
export function decodeOrUndefined(message: Buffer): DecodedPacket | undefined {
  try {
    return decode(message)
  } catch {
    return undefined
  }
}

/** The code of a response; that of EDNS's extension, whose low bits are 0, is not told. */
export function rcodeOf({ flags }: DecodedPacket): number {
  return (flags ?? 0) & 0xf
}

/** The bytes of a message's only question; undefined where they are not all there. */
export function questionBytes(message: Buffer): Buffer | undefined {
  let end = HEADER_BYTES
  for (let length = message[end]; length !== 0; length = message[end]) {
    if (length === undefined || length > 63) return undefined
    end += length + 1
  }
  end += 1 + 4
  return end <= message.length ? message.subarray(HEADER_BYTES, end) : undefined
}

function udpLimit({ edns }: Query): number {
  return Math.min(Math.max(edns?.payloadBytes ?? 0, PLAIN_UDP_BYTES), UDP_BYTES)
}

function encodeReply(query: Query, reply: Reply, recursionAvailable: boolean, { truncated }: { truncated: boolean }) {
  const { question, edns } = query
  const flags = [
    reply.authoritative && AUTHORITATIVE_ANSWER,
    truncated && TRUNCATED_RESPONSE,
    query.recursionDesired && RECURSION_DESIRED,
    recursionAvailable && RECURSION_AVAILABLE,
  ]
  return encode({
    type: 'response',
    id: query.id,
    flags: flags.reduce<number>((sum, flag) => sum | (flag || 0), reply.rcode & 0xf),
    questions: [{ name: question.name, type: question.type as RecordType }],
    answers: [...reply.answers],
    authorities: [...reply.authorities],
    additionals: [...reply.additionals, ...(edns ? [optRecord(reply.rcode >> 4, edns.dnssecOk)] : [])],
  })
}

function optRecord(extendedRcode: number, dnssecOk: boolean): OptAnswer {
  const flags = dnssecOk ? DNSSEC_OK : 0
  return {
    ...{ type: 'OPT', name: '.', udpPayloadSize: UDP_BYTES, extendedRcode, ednsVersion: 0, flags },
    ...{ flag_do: dnssecOk, options: [] },
  }
}

/** A label may hold any bytes, a dot too; what the decoder's text does not give back as it was is no name of ours. */
function echoes({ message }: Query, reply: Buffer): boolean {
  const asked = questionBytes(message)
  // The class may be ANY; the reply's is IN.
  return asked !== undefined && questionBytes(reply)?.subarray(0, -2).equals(asked.subarray(0, -2)) === true
}
