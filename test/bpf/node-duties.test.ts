// SPDX-License-Identifier: Apache-2.0
/** Health checks and metrics of a real agent, in a network namespace of its own. */

import assert from 'node:assert/strict'
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { TO_BE_DELETED_TAINT } from '../../src/health/proxy-health.ts'
import { emptyCgroup, networkNamespace, skip, uniqueName } from './requires-bpf.ts'

const run = promisify(execFile)
const main = join(import.meta.dirname, '../../src/cli/main.ts')

/** Small, so that many of these can run side by side. */
const SIZES = ['arena=65536', 'flows=1024', 'backends=1024', 'service_stats=1024', 'frontends=1024', 'members=1024']

const HEALTH_CHECK_PORT = 31999

function manifests(addresses: readonly string[], taints: readonly object[] = []): string {
  return JSON.stringify({
    kind: 'List',
    items: [
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-a' }, spec: { taints } },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: {
          type: 'LoadBalancer',
          clusterIP: '10.96.0.10',
          externalTrafficPolicy: 'Local',
          healthCheckNodePort: HEALTH_CHECK_PORT,
          ports: [{ port: 80, nodePort: 30080 }],
        },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          name: 'web-1',
          labels: { 'kubernetes.io/service-name': 'web' },
          annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': new Date().toISOString() },
        },
        addressType: 'IPv4',
        ports: [{ port: 8080 }],
        endpoints: addresses.map((address) => ({ addresses: [address], nodeName: 'node-a' })),
      },
    ],
  })
}

/** An agent in a namespace of its own; `ask` is curl beside it. */
async function startAgent(t: TestContext, first: string) {
  const namespace = networkNamespace(t)
  const instance = uniqueName()
  const cgroup = emptyCgroup(t)
  const folder = mkdtempSync(join(tmpdir(), 'maglane-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const write = (text: string) => writeFileSync(join(folder, 'all.json'), text)
  write(first)
  const sizes = SIZES.flatMap((size) => ['--map-size', size])
  const words = [
    'agent',
    '--manifests',
    folder,
    '--node',
    'node-a',
    '--instance',
    instance,
    '--cgroup',
    cgroup,
    ...sizes,
  ]
  const agent: ChildProcess = spawn('nsenter', [`--net=${namespace}`, process.execPath, main, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  agent.stderr?.on('data', (chunk) => {
    errors += chunk
  })
  t.after(async () => {
    if (agent.exitCode === null && agent.kill('SIGTERM')) await once(agent, 'exit')
    execFileSync(process.execPath, [main, 'cleanup', '--instance', instance])
  })
  const lines = createInterface({ input: agent.stdout! })
  const ready = await Promise.race([once(lines, 'line'), once(agent, 'exit')])
  assert.match(String(ready[0]), /"event":"ready"/, errors)

  const ask = async (url: string) => {
    const { stdout } = await run('nsenter', [`--net=${namespace}`, 'curl', '-s', '-g', '-i', '-m', '5', url])
    const [head = '', body = ''] = stdout.split('\r\n\r\n')
    return { status: Number(head.split(' ')[1]), head: head.toLowerCase(), body }
  }
  return { agent, ask, write }
}

async function until<T>(what: () => Promise<T>, wanted: (value: T) => boolean): Promise<T> {
  for (const end = Date.now() + 15_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const value = await what()
    if (wanted(value)) return value
    if (Date.now() > end) assert.fail(`still ${JSON.stringify(value)}`)
  }
}

test('an agent tells its health, that of its Services, and its metrics', { skip, timeout: 60_000 }, async (t) => {
  const { agent, ask, write } = await startAgent(t, manifests(['10.1.0.1', '10.1.0.2']))

  const healthz = await ask('http://127.0.0.1:10256/healthz')
  assert.equal(healthz.status, 200)
  const { nodeEligible, lastUpdated, currentTime } = JSON.parse(healthz.body)
  assert.equal(nodeEligible, true)
  assert.equal(lastUpdated, currentTime)
  for (const path of ['/livez', '/readyz']) assert.equal((await ask(`http://[::1]:10256${path}`)).status, 200, path)

  const service = () => ask(`http://127.0.0.1:${HEALTH_CHECK_PORT}/`)
  const both = await service()
  assert.equal(both.status, 200)
  assert.match(both.head, /x-load-balancing-endpoint-weight: 2/)
  assert.equal(JSON.parse(both.body).localEndpoints, 2)

  const metric = async (name: string) => {
    const { body } = await ask('http://127.0.0.1:10249/metrics')
    const line = body.split('\n').find((text) => text.startsWith(`${name} `))
    return line?.slice(name.length + 1)
  }
  assert.equal(await metric('maglane_map_entries{map="backends"}'), '2')
  assert.equal(
    await metric('maglane_map_entries{map="frontends"}'),
    '3',
    'ClusterIP, its wildcard, NodePort on loopback',
  )
  assert.equal(await metric('maglane_services'), '1')
  assert.equal(await metric('kubeproxy_sync_full_proxy_rules_duration_seconds_count{ip_family="IPv4"}'), '1')
  assert.equal(await metric('kubeproxy_sync_proxy_rules_service_changes_total{ip_family="IPv4"}'), '1')
  assert.equal(await metric('kubeproxy_proxy_livez_total{code="200"}'), '1')
  assert.equal((await ask('http://127.0.0.1:10249/proxyMode')).body, 'maglane')
  assert.equal(await metric('kubeproxy_network_programming_duration_seconds_count{ip_family="IPv4"}'), undefined)

  write(manifests([]))
  const none = await until(service, ({ status }) => status === 503)
  assert.match(none.head, /x-load-balancing-endpoint-weight: 0/)
  assert.equal(await metric('kubeproxy_network_programming_duration_seconds_count{ip_family="IPv4"}'), '1')
  assert.equal(await metric('kubeproxy_sync_proxy_rules_endpoint_changes_pending{ip_family="IPv4"}'), '0')

  write(manifests([], [{ key: TO_BE_DELETED_TAINT, effect: 'NoSchedule' }]))
  await until(
    () => ask('http://127.0.0.1:10256/healthz'),
    ({ status }) => status === 503,
  )
  assert.equal((await ask('http://127.0.0.1:10256/livez')).status, 200)

  agent.kill('SIGTERM')
  assert.deepEqual(await once(agent, 'exit'), [0, null])
})
