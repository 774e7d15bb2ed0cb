// SPDX-License-Identifier: Apache-2.0
/** The life of an agent that follows a real API server. */

import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { runningAgent } from '../../src/agent/instance-lock.ts'
import { enterWithSys } from '../../src/lab/enter.ts'
import type { ManifestObject } from '../../src/lab/manifest.ts'
import { program } from '../../src/lab/program.ts'
import { type RunResult, run } from '../../src/lab/run.ts'
import { until } from '../../src/lab/until.ts'
import { withCluster } from './with-cluster.ts'

withCluster('an agent and its API server', { nodes: ['node-a'] }, (lab) => {
  const labels = { app: 'web' }
  const address = '10.96.77.1'
  const service: ManifestObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { clusterIP: address, selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
  }
  const pod: ManifestObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', labels },
    spec: { containers: [{ name: 'demo', image: 'maglane/demo', ports: [{ containerPort: 8080 }] }] },
  }
  const ask = (port = 80) => lab().request('client-a', { proto: 'tcp', address, port, timeoutMs: 2_000 })
  const log = () => readFile(lab().agents.logFile('node-a'), 'utf8')
  const said = (text: string) => until(`the agent says "${text}"`, async () => (await log()).includes(text))

  /** One more agent on the node. */
  async function runAgent(...args: readonly string[]): Promise<RunResult> {
    const { place } = lab().node('node-a')
    const sys = join(lab().folder, 'another.sys')
    await mkdir(sys, { recursive: true })
    return await run(enterWithSys(place, sys, [...program('cli/main'), 'agent', '--cgroup', place.cgroup, ...args]))
  }

  test('it serves what the API has, by the rights of kube-proxy', async () => {
    await lab().apply(service, pod)
    assert.equal((await until('the Service answers', () => ask())).pod, 'web')
  })

  test('a second agent of the instance refuses and names the first', async () => {
    const { instance } = lab().node('node-a')
    const kubeconfig = join(lab().folder, 'agent.kubeconfig')
    const { code, stderr } = await runAgent('--instance', instance, '--kubeconfig', kubeconfig)
    assert.equal(code, 1)
    assert.match(stderr, new RegExp(`process ${runningAgent(instance)}`))
    assert.equal((await ask()).pod, 'web')
  })

  test('SIGHUP without a configuration file is said to be ignored', async () => {
    process.kill(runningAgent(lab().node('node-a').instance)!, 'SIGHUP')
    await said('SIGHUP is ignored')
    assert.equal((await ask()).pod, 'web')
  })

  test('SIGTERM leaves all attached, and the next start catches up with what it missed', async () => {
    const node = lab().node('node-a')
    await lab().agents.kill(node.name)
    assert.equal(runningAgent(node.instance), undefined)
    await lab().apply({ ...service, spec: { ...(service.spec as object), ports: [{ port: 81, targetPort: 8080 }] } })
    assert.equal((await ask(80)).pod, 'web', 'nobody has told the programs')
    await lab().agents.start(node)
    assert.equal((await until('the new port answers', () => ask(81))).pod, 'web')
    await assert.rejects(ask(80), { code: 'ECONNREFUSED' })
  })

  test('without a way to an API server it says what to give', async () => {
    const { code, stderr } = await runAgent('--instance', `${lab().name}-nowhere`)
    assert.equal(code, 1)
    assert.match(stderr, /no API server: give --kubeconfig or --manifests/)
  })

  test('SIGHUP takes over another configuration, and a broken one changes nothing', async () => {
    const node = lab().node('node-a')
    const config = join(lab().folder, 'config.yaml')
    const write = (fields: string) =>
      writeFile(config, `apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n${fields}\n`)
    await write('metricsBindAddress: 127.0.0.1:10249')
    await lab().agents.kill(node.name)
    await lab().agents.start(node, ['--config', config])
    const pid = runningAgent(node.instance)!
    const metrics = (port: number) => lab().exec('node-a', ['curl', '-sf', `http://127.0.0.1:${port}/metrics`])
    await until('the metrics are served', async () => (await metrics(10249)).code === 0)
    await write('metricsBindAddress: 127.0.0.1:10250')
    process.kill(pid, 'SIGHUP')
    await until('the metrics have moved', async () => (await metrics(10250)).code === 0)
    assert.notEqual((await metrics(10249)).code, 0)
    await write('metricsBindAddress: [nonsense')
    process.kill(pid, 'SIGHUP')
    await said('the configuration stays as it was')
    assert.equal((await metrics(10250)).code, 0)
    assert.equal((await ask(81)).pod, 'web')
    assert.equal(runningAgent(node.instance), pid)
  })
})
