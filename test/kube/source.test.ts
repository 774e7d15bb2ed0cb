// SPDX-License-Identifier: Apache-2.0
/** The Kubernetes source against a real API server, with what the real controllers make. */
import assert from 'node:assert/strict'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ControlPlane } from '../../src/kube-test/control-plane.ts'
import { follow, startProxy, untilSame } from './follow.ts'
import { addNodes, newNamespace, runPod, service, slice } from './objects.ts'
import { withControlPlane } from './with-control-plane.ts'

withControlPlane('the Kubernetes source', (controlPlane) => {
  test('follows a Service, its Pods and the slices that the controller makes', async (context) => {
    const { client, kubeconfig } = controlPlane()
    const namespace = await newNamespace(client)
    await addNodes(client)
    const follower = follow(context, { kubeconfig })
    const services = `/api/v1/namespaces/${namespace}/services`
    const created = await client.create(services, service('web'))
    await follower.until(({ last }) => last?.objects.services.has(`${namespace}/web`) === true)
    const seen = follower.last!.objects.services.get(`${namespace}/web`)!
    assert.deepEqual(seen.spec.clusterIPs, created.spec.clusterIPs)
    assert.equal(seen.metadata.uid, created.metadata.uid)
    const addresses = () =>
      [...(follower.last?.objects.endpointSlices.values() ?? [])]
        .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'web')
        .filter(({ metadata }) => metadata.namespace === namespace)
        .flatMap(({ endpoints }) => endpoints.flatMap((endpoint) => endpoint.addresses))
        .sort()
        .join()
    await runPod(client, namespace, 'web', '10.244.1.2')
    const second = await runPod(client, namespace, 'web', '10.244.1.3')
    await follower.until(() => addresses() === '10.244.1.2,10.244.1.3')
    await client.delete(`/api/v1/namespaces/${namespace}/pods/${second.metadata.name}`)
    await follower.until(() => addresses() === '10.244.1.2')
    await client.patch(`${services}/web`, { spec: { ports: [{ port: 81, targetPort: 8080 }] } })
    await follower.until(({ last }) =>
      Boolean(last?.objects.services.get(`${namespace}/web`)?.spec.ports.some(({ port }) => port === 81)),
    )
    await client.delete(`${services}/web`)
    await follower.until(({ last }) => !last?.objects.services.has(`${namespace}/web`) && addresses() === '')
    await untilSame(follower, client)
  })

  test('sees neither headless Services nor those of another proxy, this Node, and the ServiceCIDRs', async (context) => {
    const { client, kubeconfig } = controlPlane()
    const namespace = await newNamespace(client)
    const services = `/api/v1/namespaces/${namespace}/services`
    await addNodes(client)
    await client.create(services, service('headless', { clusterIP: 'None' }))
    await client.create(services, service('other', {}, { 'service.kubernetes.io/service-proxy-name': 'other' }))
    await client.create(services, service('mine'))
    const follower = follow(context, { kubeconfig })
    await follower.until(({ last }) => last?.objects.services.has(`${namespace}/mine`) === true)
    const { objects, errors } = follower.last!
    assert.deepEqual(
      [...objects.services.keys()].filter((key) => key.startsWith(`${namespace}/`)),
      [`${namespace}/mine`],
    )
    assert.deepEqual([...objects.nodes.keys()], ['node-a'])
    assert.deepEqual(objects.serviceCIDRs.get('kubernetes')?.spec.cidrs, ['10.96.0.0/16', 'fd00:10:96::/112'])
    assert.deepEqual(errors, [])
    // A label that comes or goes moves a Service from one proxy to the other.
    await client.patch(`${services}/mine`, {
      metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } },
    })
    await follower.until(({ last }) => !last?.objects.services.has(`${namespace}/mine`))
    await client.patch(`${services}/other`, {
      metadata: { labels: { 'service.kubernetes.io/service-proxy-name': null } },
    })
    await follower.until(({ last }) => last?.objects.services.has(`${namespace}/other`) === true)
  })

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(`catches up after a restart of the API server by ${signal}`, async (context) => {
      const { client, kubeconfig } = controlPlane()
      const namespace = await newNamespace(client)
      const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`
      await client.create(slices, slice('by-hand', 'web', ['192.0.2.10']))
      const follower = follow(context, { kubeconfig })
      await follower.untilWatching()
      await controlPlane().stopApiServer(signal)
      await follower.until(({ statuses }) => statuses.at(-1)?.phase === 'waiting')
      assert.ok(follower.last?.objects.endpointSlices.has(`${namespace}/by-hand`))
      await controlPlane().startApiServer()
      await client.delete(`${slices}/by-hand`)
      await client.create(slices, slice('another', 'web', ['192.0.2.11']))
      await follower.until(({ last }) => last?.objects.endpointSlices.has(`${namespace}/another`) === true)
      assert.ok(!follower.last?.objects.endpointSlices.has(`${namespace}/by-hand`))
      await untilSame(follower, client)
    })
  }

  /** What happened while nothing came through: something new, something changed, something gone. */
  async function changeUnseen({ client }: ControlPlane, namespace: string): Promise<void> {
    const services = `/api/v1/namespaces/${namespace}/services`
    await client.delete(`${services}/gone`)
    await client.create(services, service('new'))
    await client.patch(`${services}/kept`, { spec: { internalTrafficPolicy: 'Local' } })
  }

  for (const fault of ['cut', 'stalled', 'compacted', 'slow'] as const) {
    test(`holds no stale entry after a connection that was ${fault}`, async (context) => {
      const { client, kubeconfig } = controlPlane()
      const namespace = await newNamespace(client)
      const services = `/api/v1/namespaces/${namespace}/services`
      for (const name of ['gone', 'kept']) await client.create(services, service(name))
      const proxy = await startProxy(context, controlPlane())
      if (fault === 'slow') proxy.slow = true
      const follower = follow(context, { kubeconfig, master: proxy.url })
      await follower.untilWatching()
      if (fault === 'cut') proxy.cut()
      if (fault === 'stalled') proxy.stall()
      if (fault === 'compacted') {
        proxy.closed = true
        proxy.cut()
      }
      await changeUnseen(controlPlane(), namespace)
      if (fault === 'compacted') {
        await controlPlane().compact()
        // The API server answers from its own memory until it loses that.
        await controlPlane().stopApiServer()
        await controlPlane().startApiServer()
        proxy.closed = false
      }
      await untilSame(follower, client)
      const { objects } = follower.last!
      assert.ok(!objects.services.has(`${namespace}/gone`))
      assert.equal(objects.services.get(`${namespace}/kept`)?.spec.internalTrafficPolicy, 'Local')
      if (fault === 'compacted') assert.ok(follower.statuses.some(({ error }) => /\(410\)/.test(error?.message ?? '')))
    })
  }

  test('needs no more than the rights of kube-proxy', async (context) => {
    const { client } = controlPlane()
    const kubeconfig = controlPlane().kubeconfigFor('proxy', { commonName: 'system:kube-proxy' })
    await untilSame(follow(context, { kubeconfig }), client)
  })

  test('does without ServiceCIDRs that it may not see', async (context) => {
    const { client } = controlPlane()
    const rules = [
      { apiGroups: [''], resources: ['services', 'nodes'], verbs: ['list', 'watch'] },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    ]
    await client.create('/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: 'old-proxy' }, rules })
    await bind(controlPlane(), 'old-proxy', { kind: 'User', name: 'old-proxy' })
    const kubeconfig = controlPlane().kubeconfigFor('old-proxy', { commonName: 'old-proxy' })
    const follower = follow(context, { kubeconfig })
    await follower.until(({ last }) => last?.objects.services.has('default/kubernetes') === true)
    assert.equal(follower.last!.objects.serviceCIDRs.size, 0)
    assert.ok(follower.statuses.some(({ kind, phase }) => kind === 'ServiceCIDR' && phase === 'absent'))
  })

  test('takes up a service account’s next token when the first is revoked', async (context) => {
    const { client, folder } = controlPlane()
    const namespace = await newNamespace(client)
    const tokenFile = join(folder, 'token')
    const token = async (account: string) => {
      const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`
      await client.create(accounts, { metadata: { name: account } })
      await bind(controlPlane(), 'system:node-proxier', { kind: 'ServiceAccount', name: account, namespace })
      const { status } = await client.create(`${accounts}/${account}/token`, { spec: { expirationSeconds: 600 } })
      // Whole or not at all, as a kubelet does.
      writeFileSync(`${tokenFile}.new`, status.token)
      renameSync(`${tokenFile}.new`, tokenFile)
      return `${accounts}/${account}`
    }
    const first = await token('first')
    const proxy = await startProxy(context, controlPlane())
    const kubeconfig = controlPlane().kubeconfigWithTokenFile('token', tokenFile)
    const follower = follow(context, { kubeconfig, master: proxy.url })
    await follower.untilWatching()
    const before = readFileSync(tokenFile, 'utf8')
    await token('second')
    assert.notEqual(readFileSync(tokenFile, 'utf8'), before)
    await client.delete(first)
    proxy.cut()
    await client.create(`/api/v1/namespaces/${namespace}/services`, service('late'))
    await follower.until(({ last }) => last?.objects.services.has(`${namespace}/late`) === true)
  })

  test('holds what the API holds after many changes', async (context) => {
    const { client, kubeconfig } = controlPlane()
    const namespace = await newNamespace(client)
    const services = `/api/v1/namespaces/${namespace}/services`
    const follower = follow(context, { kubeconfig })
    await follower.untilWatching()
    const names = Array.from({ length: 40 }, (_, index) => `svc-${index}`)
    await Promise.all(
      names.map(async (name, index) => {
        await client.create(services, service(name, index % 3 === 0 ? { type: 'NodePort' } : {}))
        if (index % 2 === 0) await runPod(client, namespace, name, `10.244.2.${index + 1}`)
        if (index % 4 === 0) await client.delete(`${services}/${name}`)
        else if (index % 5 === 0) await client.patch(`${services}/${name}`, { spec: { externalIPs: ['192.0.2.99'] } })
      }),
    )
    await untilSame(follower, client)
    assert.deepEqual(follower.last!.errors, [])
  })
})

async function bind(
  { client }: ControlPlane,
  role: string,
  subject: { readonly kind: string; readonly name: string; readonly namespace?: string },
): Promise<void> {
  await client.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: `${role}-${subject.name}-${subject.namespace ?? 'cluster'}` },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [subject.kind === 'User' ? { apiGroup: 'rbac.authorization.k8s.io', ...subject } : subject],
  })
}
