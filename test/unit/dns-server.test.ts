// SPDX-License-Identifier: Apache-2.0
/** The server's sockets and its upstreams, on loopback; `maglane dns` as a process's main function. */

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { decode, encode, type Packet } from 'dns-packet'
import { main } from '../../src/cli/main.ts'
import { Responder } from '../../src/dns/responder.ts'
import { serveDns } from '../../src/dns/serve.ts'
import { frameMessage, readMessages } from '../../src/dns/tcp-messages.ts'
import { type Upstream, Upstreams } from '../../src/dns/upstreams.ts'
import { rcodeOf } from '../../src/dns/wire.ts'
import { buildZone } from '../../src/dns/zone.ts'
import { until } from '../../src/lab/until.ts'
import { objectSet, service } from './model-fixture.ts'

const external = (name: string, externalName: string) =>
  service({ type: 'ExternalName', externalName, clusterIP: '', ports: [] }, { metadata: { name } })

function zoneOf(...services: ReturnType<typeof service>[]) {
  return buildZone({ objects: objectSet(services, []), pods: new Map() }, { domain: 'cluster.local', serial: 1 })
}

/** A port of loopback that is free for both transports. */
async function freePort(): Promise<number> {
  for (;;) {
    const tcp = createServer().listen(0, '127.0.0.1')
    await once(tcp, 'listening')
    const { port } = tcp.address() as AddressInfo
    const udp = createSocket('udp4').bind(port, '127.0.0.1')
    const free = await once(udp, 'listening').then(
      () => true,
      () => false,
    )
    if (free) udp.close()
    tcp.close()
    await once(tcp, 'close')
    if (free) return port
  }
}

/** A server elsewhere, which answers from a zone of its own. */
async function elsewhere(...services: ReturnType<typeof service>[]) {
  const port = await freePort()
  const zone = buildZone({ objects: objectSet(services, []), pods: new Map() }, { domain: 'example.com', serial: 1 })
  const server = await serveDns(new Responder(zone, new Upstreams([])), [{ host: '127.0.0.1', port }])
  return { host: '127.0.0.1', port, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

async function ask(upstreams: readonly Upstream[], zone: ReturnType<typeof zoneOf>, packet: Packet, timeoutMs = 2_000) {
  const reply = await new Responder(zone, new Upstreams(upstreams, timeoutMs)).respond(
    encode({ id: 7, ...packet }),
    'udp',
  )
  assert(reply)
  return decode(reply)
}

test('serveDns() answers over UDP and TCP, one message after the other on a connection', async () => {
  const port = await freePort()
  const responder = new Responder(zoneOf(service()), new Upstreams([]))
  await using _server = await serveDns(responder, [{ host: '127.0.0.1', port }])
  const resolver = new Resolver()
  resolver.setServers([`127.0.0.1:${port}`])
  assert.deepEqual(await resolver.resolve4('web.default.svc.cluster.local'), ['10.96.0.10'])
  assert.deepEqual(await resolver.reverse('10.96.0.10'), ['web.default.svc.cluster.local'])
  const socket = connect(port, '127.0.0.1')
  const query = (id: number) => frameMessage(encode({ id, questions: [{ name: 'cluster.local', type: 'SOA' }] }))
  socket.write(Buffer.concat([query(1), query(2)]))
  const ids: (number | undefined)[] = []
  for await (const message of readMessages(socket)) {
    ids.push(decode(message).id)
    if (ids.length === 2) socket.end()
  }
  assert.deepEqual(ids, [1, 2])
})

test('serveDns() says where it cannot listen, and leaves nothing open', async () => {
  const port = await freePort()
  const responder = new Responder(zoneOf(), new Upstreams([]))
  const twice = [
    { host: '127.0.0.1', port },
    { host: '127.0.0.1', port },
  ]
  await assert.rejects(serveDns(responder, twice), {
    code: 'DNS_LISTEN',
    message: new RegExp(`^Listen on 127.0.0.1 port ${port}/udp: .*EADDRINUSE`),
  })
  await using _server = await serveDns(responder, twice.slice(1))
})

test('names outside are asked of the upstreams, the next one where one is silent', async () => {
  await using server = await elsewhere(service())
  const dead = { host: '127.0.0.1', port: await freePort() }
  const reply = await ask([dead, server], zoneOf(), { questions: [{ name: 'web.default.svc.example.com', type: 'A' }] })
  assert.deepEqual(
    [reply.id, rcodeOf(reply), reply.answers?.map((answer) => 'data' in answer && answer.data)],
    [7, 0, ['10.96.0.10']],
  )
})

test('a reverse name that no Service has is asked of the upstreams, one of a Service is not', async () => {
  await using server = await elsewhere(service({ clusterIP: '192.0.2.7' }))
  const ptr = async (name: string) =>
    (await ask([server], zoneOf(service()), { questions: [{ name, type: 'PTR' }] })).answers?.map(
      (a) => 'data' in a && a.data,
    )
  assert.deepEqual(await ptr('7.2.0.192.in-addr.arpa'), ['web.default.svc.example.com'])
  assert.deepEqual(await ptr('10.0.96.10.in-addr.arpa'), ['web.default.svc.cluster.local'])
})

test('an ExternalName is followed to an address outside', async () => {
  await using server = await elsewhere(service())
  const zone = zoneOf(external('out', 'web.default.svc.example.com'), external('gone', 'no.svc.example.com'))
  const out = await ask([server], zone, { questions: [{ name: 'out.default.svc.cluster.local', type: 'A' }] })
  assert.deepEqual(
    out.answers?.map((answer) => `${answer.type} ${'data' in answer && String(answer.data)}`),
    ['CNAME web.default.svc.example.com', 'A 10.96.0.10'],
  )
  const gone = await ask([server], zone, { questions: [{ name: 'gone.default.svc.cluster.local', type: 'A' }] })
  assert.deepEqual([rcodeOf(gone), gone.answers?.map(({ type }) => type)], [3, ['CNAME']])
})

test('without an answer from any upstream a name outside is SERVFAIL, a name inside is answered', async () => {
  const silent = createSocket('udp4').bind(0, '127.0.0.1')
  await once(silent, 'listening')
  try {
    const server = { host: '127.0.0.1', port: silent.address().port }
    const outside = await ask([server], zoneOf(), { questions: [{ name: 'example.com', type: 'A' }] }, 50)
    assert.equal(rcodeOf(outside), 2)
    const inside = await ask(
      [server],
      zoneOf(service()),
      { questions: [{ name: 'web.default.svc.cluster.local', type: 'A' }] },
      50,
    )
    assert.equal(rcodeOf(inside), 0)
  } finally {
    silent.close()
  }
})

test('an answer with another id or to another question is not believed', async () => {
  const liar = createSocket('udp4').bind(0, '127.0.0.1')
  await once(liar, 'listening')
  liar.on('message', (message, from) => {
    const { id = 0 } = decode(message)
    const say = (id: number, name: string, data: string): void => {
      const answers = [{ type: 'A', name, data } as const]
      liar.send(encode({ type: 'response', id, questions: [{ name, type: 'A' }], answers }), from.port)
    }
    say(id ^ 1, 'example.com', '192.0.2.66')
    say(id, 'example.net', '192.0.2.67')
    say(id, 'example.com', '192.0.2.7')
  })
  try {
    const server = { host: '127.0.0.1', port: liar.address().port }
    const reply = await ask([server], zoneOf(), { questions: [{ name: 'example.com', type: 'A' }] })
    assert.deepEqual(
      reply.answers?.map((answer) => 'data' in answer && answer.data),
      ['192.0.2.7'],
    )
  } finally {
    liar.close()
  }
})

test('maglane dns follows its folder, and ends when it is told to', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maglane-dns-'))
  const end = new AbortController()
  const port = await freePort()
  const out: string[] = []
  const errors: string[] = []
  try {
    const io = { stdin: (async function* () {})(), env: {}, signal: end.signal, terminal: false }
    const words = ['dns', '-m', folder, '--listen', `127.0.0.1:${port}`, '--domain', 'lan']
    const ended = main(words, { ...io, stdout: (text) => out.push(text), stderr: (text) => errors.push(text) })
    await until('it is ready', () => out.length > 0)
    assert.deepEqual(JSON.parse(out[0] ?? ''), { event: 'ready', domain: 'lan', addresses: [`127.0.0.1:${port}`] })
    const resolver = new Resolver()
    resolver.setServers([`127.0.0.1:${port}`])
    await assert.rejects(resolver.resolve4('web.default.svc.lan'), { code: 'ENOTFOUND' })
    const manifest = {
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { clusterIP: '10.96.0.7', ports: [{ port: 80 }] },
    }
    await writeFile(join(folder, 'web.json'), JSON.stringify(manifest))
    assert.deepEqual(await until('the Service has a name', () => resolver.resolve4('web.default.svc.lan')), [
      '10.96.0.7',
    ])
    await writeFile(join(folder, 'bad.json'), '{"kind":"Service","metadata":{"name":"Bad"}}')
    await until('the bad manifest is named', () =>
      errors.some((line) => line.includes('bad.json') && line.includes('metadata.name')),
    )
    end.abort()
    assert.equal(await ended, 0)
  } finally {
    end.abort()
    await rm(folder, { recursive: true })
  }
})

for (const [words, message] of [
  [[], '--manifests DIR is missing'],
  [['-m', '.', '--listen', 'x:y'], '--listen takes IP[:PORT], got "x:y"'],
  [['-m', '.', '--upstream', ':53'], '--upstream takes IP[:PORT], got ":53"'],
  [['-m', '.', '--domain', 'a..b'], '--domain takes a DNS name, got "a..b"'],
] as const) {
  test(`maglane dns ${words.join(' ')} is refused`, async () => {
    let stderr = ''
    const io = { stdin: (async function* () {})(), env: {}, signal: new AbortController().signal, terminal: false }
    const status = await main(['dns', ...words], { ...io, stdout: () => {}, stderr: (text) => (stderr += text) })
    assert.deepEqual([status, stderr.split('\n')[0]], [2, `maglane: ${message}`])
  })
}
