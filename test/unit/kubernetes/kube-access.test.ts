// SPDX-License-Identifier: Apache-2.0
/** Who we are to the API server, and how that changes while the agent runs. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { stringify } from 'yaml'
import { KubeAccess } from '../../../src/source/kubernetes/kube-access.ts'
import { refuse } from './fake-api-server.ts'
import { follow, startServer } from './follower.ts'
import { rawService } from './objects.ts'

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'maglane-kube-access-'))
  context.after(() => rmSync(path, { recursive: true }))
  return path
}

function writeKubeconfig(path: string, server: string, user: object): string {
  const file = join(path, 'kubeconfig')
  const text = stringify({
    clusters: [{ name: 'c', cluster: { server } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  })
  writeFileSync(file, text)
  return file
}

test('KubeAccess reads the tokenFile that kubeadm gives to kube-proxy, relative to the kubeconfig', async (context) => {
  const path = folder(context)
  writeFileSync(join(path, 'token'), 'secret\n')
  const kubeconfig = writeKubeconfig(path, 'https://192.0.2.1:6443/', { tokenFile: 'token' })
  const access = new KubeAccess({ kubeconfig })
  assert.equal(access.server, 'https://192.0.2.1:6443')
  const { headers } = await access.credentials()
  assert.deepEqual(headers, { Authorization: 'Bearer secret' })
})

test('KubeAccess runs the program that a kubeconfig names', async (context) => {
  const credential = {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: 'made' },
  }
  const exec = { apiVersion: credential.apiVersion, command: 'echo', args: [JSON.stringify(credential)] }
  const kubeconfig = writeKubeconfig(folder(context), 'https://192.0.2.1', { exec })
  const { headers } = await new KubeAccess({ kubeconfig }).credentials()
  assert.deepEqual(headers, { Authorization: 'Bearer made' })
})

test('KubeAccess takes the address from --master, the rest from the kubeconfig', async (context) => {
  const kubeconfig = writeKubeconfig(folder(context), 'https://192.0.2.1', { token: 'given' })
  const access = new KubeAccess({ kubeconfig, master: 'https://192.0.2.2:6443' })
  assert.equal(access.server, 'https://192.0.2.2:6443')
  assert.deepEqual((await access.credentials()).headers, { Authorization: 'Bearer given' })
})

test('KubeAccess names the file that cannot be used, and what is in it', (context) => {
  const path = folder(context)
  const missing = join(path, 'none')
  assert.throws(() => new KubeAccess({ kubeconfig: missing }), { code: 'KUBE_ACCESS', message: /none: .*ENOENT/ })
  const broken = join(path, 'broken')
  writeFileSync(broken, 'clusters: [')
  assert.throws(() => new KubeAccess({ kubeconfig: broken }), { code: 'KUBE_ACCESS', message: /broken: / })
  const lost = join(path, 'lost')
  writeFileSync(lost, stringify({ clusters: [], users: [], contexts: [], 'current-context': 'x' }))
  assert.throws(() => new KubeAccess({ kubeconfig: lost }), { code: 'KUBE_ACCESS', message: /'x' names no cluster/ })
})

test('KubeAccess says what to do when there is nothing to go by', () => {
  assert.throws(() => new KubeAccess({}), { code: 'KUBE_ACCESS', message: /--kubeconfig/ })
})

test('a token that is replaced and the old one revoked is taken up after the first refusal', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  let valid = 'Bearer first'
  server.intercept = ({ authorization }, response) => {
    if (authorization === valid) return false
    refuse(response, 401, 'Unauthorized')
    return true
  }
  const path = folder(context)
  writeFileSync(join(path, 'token'), 'first')
  const kubeconfig = writeKubeconfig(path, server.url, { tokenFile: 'token' })
  const follower = follow(context, server, { kubeconfig, master: undefined })
  await follower.untilWatching()
  valid = 'Bearer second'
  writeFileSync(join(path, 'token'), 'second')
  server.cut()
  server.set('Service', rawService('api', '10.96.0.11'))
  await follower.untilServices('web', 'api')
})
