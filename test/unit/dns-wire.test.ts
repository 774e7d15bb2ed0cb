// SPDX-License-Identifier: Apache-2.0
/** Messages: what is refused unread, EDNS, truncation, and framing in a stream. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, type DecodedPacket, decode, encode, type OptAnswer, type Packet } from 'dns-packet'
import { Responder } from '../../src/dns/responder.ts'
import { frameMessage, readMessages } from '../../src/dns/tcp-messages.ts'
import { Upstreams } from '../../src/dns/upstreams.ts'
import { rcodeOf, type Transport } from '../../src/dns/wire.ts'
import { buildZone } from '../../src/dns/zone.ts'
import { objectSet, service, slice } from './model-fixture.ts'

/** A headless Service of so many endpoints. */
function responder(endpoints: number): Responder {
  const addresses = Array.from({ length: endpoints }, (_, index) => ({
    addresses: [`10.1.${index >> 8}.${index & 255}`],
  }))
  const objects = objectSet([service({ clusterIP: 'None' })], [slice(addresses)])
  return new Responder(
    buildZone({ objects, pods: new Map() }, { domain: 'cluster.local', serial: 1 }),
    new Upstreams([]),
  )
}

const name = 'web.default.svc.cluster.local'
const edns = (udpPayloadSize: number, rest: Partial<OptAnswer> = {}): Answer[] => [
  {
    type: 'OPT',
    name: '.',
    udpPayloadSize,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
    ...rest,
  },
]

async function ask(
  packet: Packet,
  transport: Transport = 'udp',
  endpoints = 3,
): Promise<DecodedPacket & { bytes: number }> {
  const reply = await responder(endpoints).respond(
    encode({ id: 7, questions: [{ name, type: 'A' }], ...packet }),
    transport,
  )
  assert(reply)
  return { ...decode(reply), bytes: reply.length }
}

function optOf(packet: DecodedPacket): OptAnswer | undefined {
  return packet.additionals?.find((record): record is OptAnswer => record.type === 'OPT')
}

test('a reply has the query’s id and question, is authoritative, and recurses only with upstreams', async () => {
  const reply = await ask({ flags: 1 << 8, questions: [{ name: 'wEb.default.svc.cluster.local', type: 'A' }] })
  assert.equal(reply.id, 7)
  assert.deepEqual(reply.questions, [{ name: 'wEb.default.svc.cluster.local', type: 'A', class: 'IN' }])
  assert.deepEqual(
    [reply.flag_qr, reply.flag_aa, reply.flag_rd, reply.flag_ra, reply.flag_tc],
    [true, true, true, false, false],
  )
  assert.deepEqual(
    reply.answers?.map(({ name }) => name),
    Array(3).fill('wEb.default.svc.cluster.local'),
  )
  assert.equal(optOf(reply), undefined)
})

test('each client gets another address first', async () => {
  const shared = responder(3)
  const firsts = new Set<unknown>()
  for (let turn = 0; turn < 3; turn++) {
    const reply = decode((await shared.respond(encode({ questions: [{ name, type: 'A' }] }), 'udp')) ?? Buffer.alloc(0))
    const [first] = reply.answers as { data: string }[]
    firsts.add(first?.data)
  }
  assert.equal(firsts.size, 3)
})

test('EDNS is answered with EDNS, and DNSSEC OK is copied', async () => {
  const reply = await ask({ additionals: edns(4096, { flags: 1 << 15 }) })
  assert.deepEqual([optOf(reply)?.udpPayloadSize, optOf(reply)?.ednsVersion, optOf(reply)?.flag_do], [1232, 0, true])
})

test('a version of EDNS that is not known is refused with BADVERS', async () => {
  const reply = await ask({ additionals: edns(4096, { ednsVersion: 1 }) })
  assert.deepEqual([rcodeOf(reply), optOf(reply)?.extendedRcode, reply.answers?.length], [0, 1, 0])
})

for (const [what, additionals, limit] of [
  ['a client without EDNS', [], 512],
  ['a client that takes less than everyone must', edns(100), 512],
  ['a client that takes 900 bytes', edns(900), 900],
  ['a client that takes more than paths carry', edns(65_535), 1232],
] as const) {
  test(`over UDP ${what} gets whole records up to ${limit} bytes, and is told to use TCP`, async () => {
    const reply = await ask({ additionals: [...additionals] }, 'udp', 200)
    const record = 2 + name.length + 10 + 4
    assert.equal(reply.flag_tc, true)
    assert.ok(reply.bytes <= limit && reply.bytes + record > limit, `${reply.bytes}`)
    assert.ok(reply.answers?.every(({ type }) => type === 'A'))
    assert.equal(optOf(reply) !== undefined, additionals.length > 0)
  })
}

test('over TCP nothing is cut', async () => {
  const reply = await ask({}, 'tcp', 200)
  assert.deepEqual([reply.flag_tc, reply.answers?.length], [false, 200])
})

test('additional records are left out silently where they do not fit', async () => {
  const addresses = Array.from({ length: 4 }, (_, index) => ({ addresses: [`10.1.0.${index}`] }))
  const objects = objectSet(
    [service({ clusterIP: 'None', ports: [{ name: 'http', port: 80 }] })],
    [slice(addresses, { ports: [{ name: 'http', port: 80 }] })],
  )
  const zone = buildZone({ objects, pods: new Map() }, { domain: 'cluster.local', serial: 1 })
  const query = encode({ questions: [{ name: `_http._tcp.${name}`, type: 'SRV' }] })
  const reply = async (transport: Transport) =>
    decode((await new Responder(zone, new Upstreams([])).respond(query, transport)) ?? Buffer.alloc(0))
  const [udp, tcp] = [await reply('udp'), await reply('tcp')]
  assert.deepEqual([udp.answers?.length, udp.additionals?.length, udp.flag_tc], [4, 0, false])
  assert.deepEqual([tcp.answers?.length, tcp.additionals?.length, tcp.flag_tc], [4, 4, false])
})

const good = encode({ id: 7, questions: [{ name, type: 'A' }] })
const changed = (change: (message: Buffer) => void): Buffer => {
  const message = Buffer.from(good)
  change(message)
  return message
}

for (const [what, message, rcode] of [
  ['another opcode', changed((m) => m.writeUInt16BE(2 << 11, 2)), 4],
  ['no question', encode({ id: 7, questions: [] }), 1],
  [
    'two questions',
    encode({
      id: 7,
      questions: [
        { name, type: 'A' },
        { name, type: 'AAAA' },
      ],
    }),
    1,
  ],
  ['a question that is cut off', good.subarray(0, good.length - 3), 1],
  ['a label that points to itself', changed((m) => m.writeUInt16BE(0xc00c, 12)), 1],
  [
    'two OPT records',
    encode({ id: 7, questions: [{ name, type: 'A' }], additionals: [...edns(512), ...edns(512)] }),
    1,
  ],
  ['another class', encode({ id: 7, questions: [{ name, type: 'A', class: 'CH' }] }), 5],
  ['a zone transfer', encode({ id: 7, questions: [{ name: 'cluster.local', type: 'AXFR' }] }), 5],
  ['a name outside', encode({ id: 7, questions: [{ name: 'example.com', type: 'A' }] }), 5],
  ['a dot inside a label', changed((m) => m.fill(11, 12, 13).fill('.', 16, 17)), 5],
  ['a label that is no text', changed((m) => m.writeUInt8(0xff, 13)), 5],
] as const) {
  test(`a message with ${what} is refused with code ${rcode}`, async () => {
    const reply = await responder(1).respond(message, 'udp')
    assert(reply)
    assert.deepEqual([reply.readUInt16BE(0), reply.readUInt16BE(2) >> 15, reply.readUInt16BE(2) & 0xf], [7, 1, rcode])
    assert.equal(reply.readUInt16BE(6), 0)
  })
}

for (const [what, message] of [
  ['a response', changed((m) => m.writeUInt16BE(0x8000, 2))],
  ['less than a header', good.subarray(0, 11)],
  ['nothing', Buffer.alloc(0)],
] as const) {
  test(`${what} gets no answer, so that two servers cannot keep each other busy`, async () => {
    assert.equal(await responder(1).respond(message, 'udp'), undefined)
  })
}

test('readMessages() finds the messages of a stream however it is cut', async () => {
  const messages = [good, Buffer.alloc(0), Buffer.alloc(300, 7)]
  const stream = Buffer.concat([...messages.map(frameMessage), Buffer.from([0, 9, 1])])
  for (const size of [1, 2, 3, 50, 1000]) {
    async function* chunks() {
      for (let at = 0; at < stream.length; at += size) yield stream.subarray(at, at + size)
    }
    const read: Buffer[] = []
    for await (const message of readMessages(chunks())) read.push(message)
    assert.deepEqual(read, messages, `pieces of ${size}`)
  }
})
