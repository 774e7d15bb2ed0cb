// SPDX-License-Identifier: Apache-2.0
/** The command line against pinned maps and a program that ran. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { frontendPlan, plansOf, portPlan, servicePlan, setPlan, simplePlan } from '../unit/diff.plans.ts'
import { maglane, pinnedInstance } from './cli.instance.ts'
import { tcpSyn } from './cli.packet.ts'
import { skip } from './requires-bpf.ts'

const client = '10.1.0.9'
const web = simplePlan('web', '10.96.0.1', '10.1.0.1:8080*', '10.1.0.2:8080')
const empty = simplePlan('empty', '10.96.0.2')

test('get services shows ports of Services, what they lead to, and their traffic', { skip }, async (context) => {
  const instance = await pinnedInstance(context, plansOf(web, empty), ['tc_pod_in'])
  instance.send(tcpSyn(client, 40_000, '10.96.0.1', 80))
  instance.send(tcpSyn(client, 40_001, '10.96.0.2', 80))

  const { stdout } = await maglane(['get', 'services', '--instance', instance.name, '-o', 'json'])

  const rows = JSON.parse(stdout) as { service: string; id: number }[]
  assert.deepEqual(
    rows.map(({ id: _, ...row }) => row),
    [
      {
        ...{ service: 'default/empty', port: '', protocol: 'TCP', backends: 0, flows: 0, packets: 0, bytes: 0 },
        frontends: [{ frontend: '10.96.0.2:80', kind: 'clusterIP' }],
        refused: 1,
      },
      {
        ...{ service: 'default/web', port: '', protocol: 'TCP', backends: 2, flows: 1, packets: 1, bytes: 54 },
        frontends: [{ frontend: '10.96.0.1:80', kind: 'clusterIP' }],
        refused: 0,
      },
    ].map((row) => ({ ...row })),
  )
})

test('get frontends tells both sets of each, and what an empty one does', { skip }, async (context) => {
  const local = { ...setPlan(), empty: 'drop' as const }
  const scoped = frontendPlan('10.96.0.3', 80, setPlan('10.1.0.1:80', '10.1.0.2:80'), { external: local })
  const plan = servicePlan('scoped', [portPlan('http', [scoped])])
  const instance = await pinnedInstance(context, plansOf(plan))

  const { stdout } = await maglane(['get', 'frontends', 'scoped', '--instance', instance.name])

  assert.deepEqual(
    stdout.split('\n').map((line) => line.split(/ {2,}/)),
    [
      ['FRONTEND', 'PROTOCOL', 'KIND', 'SERVICE', 'INTERNAL', 'EXTERNAL', 'AFFINITY', 'FLAGS'],
      ['10.96.0.3:*', '*', 'clusterIP', 'default/scoped', 'reject', 'reject', '-', 'refuse_unknown'],
      ['10.96.0.3:80', 'TCP', 'clusterIP', 'default/scoped:http', '2', 'drop', '-', 'scoped'],
      [''],
    ],
  )
})

test('get backends tells which are here', { skip }, async (context) => {
  const instance = await pinnedInstance(context, plansOf(web))
  const { stdout } = await maglane(['get', 'backends', '--instance', instance.name, '-o', 'json'])
  const rows = JSON.parse(stdout) as { backend: string; service: string; local: boolean; serving: boolean }[]
  assert.deepEqual(
    rows.map(({ backend, service, local, serving }) => [backend, service, local, serving]),
    [
      ['10.1.0.1:8080', 'default/web', true, true],
      ['10.1.0.2:8080', 'default/web', false, true],
    ],
  )
})

test('get flows shows the connection that a packet began', { skip }, async (context) => {
  const instance = await pinnedInstance(context, plansOf(web), ['tc_pod_in'])
  instance.send(tcpSyn(client, 40_000, '10.96.0.1', 80))

  const { stdout } = await maglane(['get', 'flows', '--instance', instance.name, '-o', 'json'])

  const [flow, ...others] = JSON.parse(stdout) as Record<string, unknown>[]
  assert.deepEqual(others, [])
  assert.equal(flow?.client, `${client}:40000`)
  assert.equal(flow?.frontend, '10.96.0.1:80')
  assert.match(String(flow?.backend), /^10\.1\.0\.[12]:8080$/)
  assert.equal(flow?.service, 'default/web')
})

test('monitor shows what it was asked for, and puts the former mask back', { skip }, async (context) => {
  const instance = await pinnedInstance(context, plansOf(web, empty), ['tc_pod_in'])
  const { control } = instance.maps
  const before = control.get(0)
  const running = maglane(
    ['monitor', '--verdict', 'reject', '--count', '1', '--instance', instance.name, '-o', 'json'],
    { signal: AbortSignal.timeout(20_000) },
  )
  while (control.get(0).events === before.events) await new Promise((resolve) => setImmediate(resolve))
  instance.send(tcpSyn(client, 40_000, '10.96.0.1', 80))
  instance.send(tcpSyn(client, 40_001, '10.96.0.2', 80))

  const { stdout } = await running

  const event = JSON.parse(stdout) as Record<string, unknown>
  assert.equal(event.reason, 'REJECT_NO_ENDPOINT')
  assert.equal(event.verdict, 'reject')
  assert.equal(event.source, `${client}:40001`)
  assert.equal(event.destination, '10.96.0.2:80')
  assert.equal(event.service, 'default/empty')
  assert.deepEqual(control.get(0), before)
})

test('get names the instances that there are when the one asked for is not', { skip }, async (context) => {
  const instance = await pinnedInstance(context, plansOf())
  const { status, stderr } = await maglane(['get', 'services', '--instance', `${instance.name}-not`])
  assert.equal(status, 1)
  assert.match(
    stderr,
    new RegExp(`no instance "${instance.name}-not" is pinned; --instance takes: .*\\b${instance.name}\\b`),
  )
})

test('get refuses the maps of another version', { skip }, async (context) => {
  const instance = await pinnedInstance(context, plansOf(web))
  instance.maps.control.set(0, { ...instance.maps.control.get(0), abi: 1 })
  const { status, stderr } = await maglane(['get', 'services', '--instance', instance.name])
  assert.equal(status, 1)
  assert.match(stderr, /layout 00000001/)
})

const webManifest = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { clusterIP: 10.96.0.1, ports: [{ port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ name: '', port: 8080 }]
endpoints:
  - { addresses: [10.1.0.1], nodeName: node-a }
  - { addresses: [10.1.0.2], nodeName: node-b }
`

function manifests(context: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'maglane-cli-'))
  context.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'web.yaml'), text)
  return folder
}

test('diff finds nothing where the maps are what the manifests ask for', { skip }, async (context) => {
  const instance = await pinnedInstance(context, plansOf(web))
  const folder = manifests(context, webManifest)
  const { status, stdout } = await maglane(['diff', '-m', folder, '--node', 'node-a', '--instance', instance.name])
  assert.equal(stdout, 'No difference\n')
  assert.equal(status, 0)
})

test('diff tells frontends and backends that come and go', { skip }, async (context) => {
  const live = simplePlan('web', '10.96.0.1', '10.1.0.1:8080*', '10.1.0.9:8080')
  const instance = await pinnedInstance(context, plansOf(live, empty))
  const more = webManifest
    .replace('[{ port: 80 }]', '[{ port: 80, name: a }, { port: 81, name: b }]')
    .replace("name: '', ", 'name: a, ')
  const folder = manifests(context, more)

  const { status, stdout } = await maglane(['diff', '-m', folder, '--node', 'node-a', '--instance', instance.name])

  assert.deepEqual(stdout.split('\n'), [
    '- 10.96.0.2:80/TCP  clusterIP of default/empty',
    '+ 10.96.0.1:81/TCP  clusterIP of default/web:b',
    '~ 10.96.0.1:80/TCP',
    '    service: default/web → default/web:a',
    '    internal: -10.1.0.9:8080, +10.1.0.2:8080',
    '    external: -10.1.0.9:8080, +10.1.0.2:8080',
    '',
  ])
  assert.equal(status, 3)
})
