// SPDX-License-Identifier: Apache-2.0
/** `maglane trace` as people and scripts use it: one packet, streams, faults, and an agent's maps. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openPinnedMaps } from '../../src/bpf/maps.ts'
import { frontendPlan, plansOf, portPlan, servicePlan, setPlan } from '../unit/diff.plans.ts'
import { pinnedInstance } from './cli.instance.ts'
import { skip } from './requires-bpf.ts'
import {
  addressesOf,
  clusterFlags,
  endpoint,
  manifestFolder,
  nodeIps,
  nodes,
  pods,
  service,
  trace,
  traceAll,
} from './trace.world.ts'

const objects = [
  ...nodes,
  ...service({ name: 'web', n: 10, endpoints: ['a1'] }),
  ...service({ name: 'gone', n: 11, endpoints: [] }),
]
const vip = `${addressesOf(10).clusterIP.v4}:80`
const flags = (folder: string) => ['-m', folder, '--node', 'node-a', ...clusterFlags]

test('trace prints the contract of its JSON, and nothing else', { skip }, async (context) => {
  const folder = manifestFolder(context, objects)
  const packet = ['--src', '10.244.1.99', '--dst', vip, '--proto', 'tcp', '--from', 'pod']
  const { status, stdout, stderr } = await trace([...flags(folder), ...packet, '-o', 'json'])
  assert.equal(stderr, '')
  assert.equal(status, 0)
  assert.deepEqual(JSON.parse(stdout), {
    verdict: 'forward',
    service: 'default/web:http',
    frontend: 'clusterIP',
    candidates: ['10.244.1.10:8080'],
    selected: '10.244.1.10:8080',
    masquerade: false,
    reason:
      "FORWARD_NEW: internalTrafficPolicy Cluster; 10.244.1.10:8080 is the only one, on this node; the client's address is kept",
  })
})

test('trace tells people the way of the packet', { skip }, async (context) => {
  const folder = manifestFolder(context, [...nodes, ...service({ name: 'web', n: 10, endpoints: ['b1'] })])
  const dst = endpoint(nodeIps.v6, 30_010)
  const { stdout } = await trace([...flags(folder), '--src', '[2001:db8::1]:40000', '--dst', dst, '--proto', 'udp'])
  const leaves = /^leaves as {3}(.*)$/m.exec(stdout)?.[1] ?? ''
  assert.match(leaves, /^\[fd00:172:18::11\]:\d+ → \[fd00:10:244:2::10\]:5353$/)
  assert.deepEqual(stdout.replace(leaves, '…').split('\n'), [
    'packet      UDP [2001:db8::1]:40000 → [fd00:172:18::11]:30010',
    'from        outside this node (decided in xdp)',
    'verdict     forward',
    'service     default/web:dns, by its nodePort',
    'candidates  [fd00:10:244:2::10]:5353',
    'backend     [fd00:10:244:2::10]:5353 (on another node)',
    'leaves as   …',
    'masquerade  yes',
    'why         FORWARD_NEW: externalTrafficPolicy Cluster; [fd00:10:244:2::10]:5353 is the only one, on another node; ' +
      "so that the reply comes back through this node, the client's address becomes fd00:172:18::11",
    '',
  ])
})

test('trace places a client by its address where nobody says', { skip }, async (context) => {
  const folder = manifestFolder(context, [
    ...nodes,
    ...service({ name: 'web', n: 10, endpoints: ['a1', 'b1'], spec: { externalTrafficPolicy: 'Local' } }),
    {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'client' } },
      spec: { nodeName: 'node-a', containers: [{ name: 'c', image: 'i' }] },
      status: { podIP: '192.0.2.50', podIPs: [{ ip: '192.0.2.50' }] },
    },
  ])
  const dst = `${nodeIps.first}:30010`
  const both = [`${pods.a1.v4}:8080`, `${pods.b1.v4}:8080`]
  const here = both.slice(0, 1)
  const answers = await traceAll(
    flags(folder),
    [nodeIps.second, '127.0.0.1', '10.244.1.99', '192.0.2.51'].map((src) => ({ src, dst })),
  )
  assert.deepEqual(
    answers.map(({ candidates }) => candidates),
    [both, both, both, here],
  )
  // The Pod's address is in no range that detects it: it counts as outside, yet comes in by a pod's interface.
  const [pod] = await traceAll(flags(folder), [{ src: '192.0.2.50', dst: `${addressesOf(10).clusterIP.v4}:81` }])
  assert.equal(pod?.verdict, 'reject')
  const { stdout } = await trace([...flags(folder), '--src', '192.0.2.50', '--dst', vip])
  assert.match(stdout, /^from {8}a pod of this node/m)
})

test('trace answers each line of a stream in its place, at once, and faults with an error', {
  skip,
}, async (context) => {
  const folder = manifestFolder(context, objects)
  const answers: Record<string, unknown>[] = []
  let arrived = Promise.withResolvers<void>()
  const good = JSON.stringify({ src: '10.244.1.99:40000', dst: vip, proto: 'tcp', from: 'pod' })
  const lines = [good, 'nonsense', '', '{"src":"10.0.0.1","dst":"[fd00::1]:80"}', good.replace('pod', 'moon'), good]
  const input = (async function* () {
    for (const [index, line] of lines.entries()) {
      yield index % 2 === 0 ? `${line}\n` : new TextEncoder().encode(`${line}\n`)
      // The next line is written only when this one is answered.
      await arrived.promise
      arrived = Promise.withResolvers<void>()
    }
  })()
  const { status } = await trace([...flags(folder), '--packets', '-', '-o', 'json'], input, (text) => {
    answers.push(JSON.parse(text) as Record<string, unknown>)
    arrived.resolve()
  })
  assert.equal(status, 0)
  assert.deepEqual(
    answers.map(({ verdict, error }) => verdict ?? (error as string).split(':')[0]),
    ['forward', 'line 2', 'line 3', 'line 4', 'line 5', 'forward'],
  )
})

test('packets of one stream do not influence each other', { skip }, async (context) => {
  const sticky = {
    name: 'sticky',
    n: 20,
    endpoints: ['a1', 'a2', 'b1', 'b2'],
    spec: { sessionAffinity: 'ClientIP' },
  } as const
  const folder = manifestFolder(context, [...objects, ...service(sticky)])
  const dst = `${addressesOf(20).clusterIP.v4}:80`
  const same = { src: '10.244.1.99:40000', dst, from: 'pod' }
  // The same tuple again; the tuple from outside, whose reply would be the same; the reply itself.
  const packets = [
    same,
    same,
    { ...same, from: 'external' },
    same,
    { src: '10.244.1.10:8080', dst: '10.244.1.99:40000' },
  ]
  const answers = await traceAll(flags(folder), packets)
  assert.deepEqual(answers[1], answers[0])
  assert.deepEqual(answers[3], answers[0])
  assert.equal(answers[2]?.selected, answers[0]?.selected)
  assert.equal(answers[4]?.verdict, 'pass')
})

for (const [words, message] of [
  [['--dst', vip], /--src and --dst are needed/],
  [['--src', '10.0.0.1', '--dst', '10.0.0.1'], /--dst has no port/],
  [['--src', '10.0.0.1', '--dst', vip, '--proto', 'icmp'], /--proto: expected tcp, udp, sctp/],
  [['--src', '10.0.0.1', '--dst', vip, '--from', 'moon'], /--from: expected pod, host, external/],
  [['--packets', '-', '--from', 'moon'], /--from takes pod, host, external/],
  [['--packets', '-', '--src', '10.0.0.1'], /--packets stands in place of/],
] as const) {
  test(`trace ${words.join(' ')} is refused`, async () => {
    const { status, stderr } = await trace(['-m', '/nowhere', ...words])
    assert.equal(status, 2)
    assert.match(stderr, message)
  })
}

test('trace says which objects it could not take, and answers for the others', { skip }, async (context) => {
  const broken = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'broken' }, spec: { ports: [{ port: 'x' }] } }
  const folder = manifestFolder(context, [...objects, broken])
  const { status, stdout, stderr } = await trace([...flags(folder), '--src', '10.244.1.99', '--dst', vip, '-o', 'json'])
  assert.equal(status, 0)
  assert.match(stderr, /world\.json: Service default\/broken: spec\.ports\[0\]\.port: /)
  assert.equal((JSON.parse(stdout) as { verdict: string }).verdict, 'forward')
})

test('trace warns of a node without addresses', { skip }, async (context) => {
  const folder = manifestFolder(context, service({ name: 'web', n: 10, endpoints: ['a1'] }))
  const { stderr } = await trace([...flags(folder), '--src', '10.244.1.99', '--dst', vip])
  assert.match(stderr, /Node node-a has no address/)
})

test('trace asks the maps of an agent, and leaves them as they are', { skip }, async (context) => {
  const local = { ...setPlan('10.244.1.10:8080*') }
  const scoped = { external: local, kind: 'nodePort' } as const
  const web = servicePlan(
    'web',
    [portPlan('http', [frontendPlan('172.18.0.11', 30_080, setPlan('10.244.1.10:8080*', '10.244.2.10:8080'), scoped)])],
    { affinitySeconds: 60 },
  )
  const instance = await pinnedInstance(context, plansOf(web))
  const { maps } = instance
  const picture = () => ({
    flows: [...maps.flows.entries()],
    affinities: [...maps.affinities.entries()],
    devices: [...maps.devices.entries()],
    filter: Buffer.from(maps.filter.bytes).toString('base64'),
    control: maps.control.get(0),
    reasons: [...maps.reasons.sums()],
    stats: [...maps.service_stats.sums()],
    events: maps.events.drain(),
  })
  const before = picture()
  const words = ['--instance', instance.name, '--node-ip', nodeIps.first, ...clusterFlags]

  const dst = `${nodeIps.first}:30080`
  const answers = await traceAll(words, [
    { src: '198.51.100.1:40000', dst },
    { src: '10.244.1.99:40000', dst },
    { src: nodeIps.first, dst },
    { src: '198.51.100.1', dst: `${nodeIps.first}:30081` },
  ])

  assert.deepEqual(
    answers.map(({ verdict, service, candidates }) => [verdict, service, candidates.length]),
    [
      ['forward', 'default/web:http', 1],
      ['forward', 'default/web:http', 2],
      ['forward', 'default/web:http', 2],
      ['pass', null, 0],
    ],
  )
  assert.deepEqual(picture(), before)
  // What the agent writes while packets come in counts at once.
  using open = openPinnedMaps(join(instance.directory, 'maps'), { writable: true })
  const [entry] = open.maps.frontends.entries()
  assert(entry)
  const asked = { src: '198.51.100.1:40000', dst, from: 'external' }
  const lines = (async function* () {
    yield `${JSON.stringify(asked)}\n`
    open.maps.frontends.delete(entry[0])
    yield `${JSON.stringify(asked)}\n`
  })()
  const { stdout } = await trace([...words, '--packets', '-'], lines)
  assert.deepEqual(
    stdout.split('\n', 2).map((line) => (JSON.parse(line) as { verdict: string }).verdict),
    ['forward', 'pass'],
  )
})

test('trace names the instances when the one asked for is not', { skip }, async () => {
  const { status, stderr } = await trace(['--instance', 'no-such-one', '--src', '10.0.0.1', '--dst', vip])
  assert.equal(status, 1)
  assert.match(stderr, /no instance "no-such-one" is pinned|no agent has run/)
})
