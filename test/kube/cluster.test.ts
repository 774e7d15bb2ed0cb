// SPDX-License-Identifier: Apache-2.0
/** A cluster with a real API server: what an operator does by kubectl is what traffic does. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { ClientError } from '../../src/lab/client-process.ts'
import { readExamples } from '../../src/lab/examples.ts'
import type { ManifestObject } from '../../src/lab/manifest.ts'
import { runChecked } from '../../src/lab/run.ts'
import { callWhile } from '../../src/lab/steady-calls.ts'
import { call, frontendsAnswer, tourCallers, tourFrontends } from '../../src/lab/tour.ts'
import { until } from '../../src/lab/until.ts'
import { withCluster } from './with-cluster.ts'

withCluster('a cluster with an API server', {}, (lab) => {
  const kubectl = (...args: readonly string[]) => runChecked([lab().kubectl!, ...args])

  test('the examples answer from a pod, a node and outside', async () => {
    await lab().apply(...(await readExamples(join(import.meta.dirname, '../../examples'))))
    for (const address of ['203.0.113.10', '2001:db8:203::10']) await lab().route(address, 'node-a')
    const frontends = tourFrontends(await lab().objects(), lab().nodes.length)
    const kinds = new Set(frontends.map(({ kind }) => kind))
    assert.deepEqual([...kinds].sort(), ['clusterIP', 'externalIP', 'nodePort'])
    await frontendsAnswer(lab(), frontends)
    for (const from of tourCallers) {
      for (const frontend of frontends) {
        const { answer, error } = await call(lab(), from, frontend)
        const what = `${from} → ${frontend.service} ${frontend.kind} ${frontend.address}:${frontend.port}`
        assert.ok(answer !== undefined, `${what}: ${error}`)
        const name = /^(web|echo|legacy)/.exec(frontend.service.split('/')[1] ?? '')?.[0] ?? ''
        assert.ok(answer.pod.startsWith(name), `${what} is answered by ${answer.pod}`)
      }
    }
  })

  test('no call fails while kubectl scales a Deployment up and down, and every replica gets its share', async () => {
    const frontends = tourFrontends(await lab().objects(), lab().nodes.length)
    const web = frontends.filter(({ service, kind }) => service === 'default/web' && kind === 'clusterIP')
    for (const replicas of [6, 2]) {
      const steady = await callWhile(lab(), tourCallers, web, () => lab().scale('web', replicas))
      assert.ok(steady.calls > 0)
      assert.deepEqual(steady.failed, [], `while scaling to ${replicas}`)
      // The controllers follow at their own pace, and the agents follow them.
      const pods = await until('the slices hold the Pods', async () => {
        const names = await kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.name}')
        const slices = await kubectl(
          ...['get', 'endpointslices', '-l', 'kubernetes.io/service-name=web'],
          ...['-o', 'jsonpath={.items[0].endpoints[*].targetRef.name}'],
        )
        const sorted = names.split(' ').sort()
        return sorted.length === replicas && slices.split(' ').sort().join(' ') === sorted.join(' ')
          ? sorted
          : undefined
      })
      await until('every Pod answers, and nobody else', async () => {
        const answered = new Set<string>()
        for (let calls = 0; calls < 100; calls++)
          answered.add((await call(lab(), 'client-a', web[0]!)).answer?.pod ?? 'nobody')
        return [...answered].sort().join(' ') === pods.join(' ')
      })
    }
  })

  test('a Pod gets traffic while its readiness probe succeeds', async () => {
    // Ready as long as there is the file: the probe runs in the pod's place.
    const file = join(lab().folder, 'probed-is-ready')
    const container = {
      name: 'demo',
      image: 'maglane/demo',
      ports: [{ name: 'http', containerPort: 8080 }],
      readinessProbe: { exec: { command: ['test', '-e', file] }, periodSeconds: 1, failureThreshold: 1 },
    }
    const labels = { app: 'probed' }
    const deployment: ManifestObject = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'probed' },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    }
    const service: ManifestObject = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'probed' },
      spec: { selector: labels, ports: [{ port: 80, targetPort: 'http' }] },
    }
    await lab().apply(service)
    const address = (await lab().objects()).services.get('default/probed')!.spec.clusterIPs[0]!
    const ask = () => lab().request('outside', { proto: 'tcp', address, port: 80, timeoutMs: 2_000 })
    const isRefused = () =>
      ask().then(
        () => false,
        (error: unknown) => error instanceof ClientError && error.code === 'ECONNREFUSED',
      )
    await until('a Service without endpoints is refused', isRefused)
    await runChecked(['touch', file])
    await lab().apply(deployment)
    assert.match((await until('the Pod answers', ask)).pod, /^probed-/)
    await runChecked(['rm', file])
    await until('the Service is refused when the probe fails', isRefused)
    assert.match(await kubectl('get', 'pods', '-l', 'app=probed'), /\b0\/1\b/)
  })

  test('a DaemonSet has a Pod on every node, and pods reach the API server by its Service', async () => {
    const labels = { app: 'everywhere' }
    const containers = [{ name: 'demo', image: 'maglane/demo', ports: [{ containerPort: 8080 }] }]
    await lab().apply({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'everywhere' },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
    })
    await kubectl('rollout', 'status', 'daemonset/everywhere', '--timeout=30s')
    const nodes = await kubectl('get', 'pods', '-l', 'app=everywhere', '-o', 'jsonpath={.items[*].spec.nodeName}')
    assert.deepEqual(nodes.split(' ').sort(), ['node-a', 'node-b'])
    for (const from of ['client-a', 'client-b', 'node-b']) {
      const { stdout } = await lab().exec(from, ['curl', '-sk', '--max-time', '5', 'https://10.96.0.1/livez'])
      assert.match(stdout, /ok|Unauthorized|forbidden/, from)
    }
  })
})
