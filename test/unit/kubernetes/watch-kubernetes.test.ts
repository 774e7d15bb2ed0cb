// SPDX-License-Identifier: Apache-2.0
/** The source follows what an API server says: what is told, when, and what stays the same. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { watchKubernetes } from '../../../src/source/kubernetes/watch-kubernetes.ts'
import { refuse } from './fake-api-server.ts'
import { follow, startServer } from './follower.ts'
import { rawNode, rawService, rawServiceCIDR, rawSlice } from './objects.ts'

test('watchKubernetes() tells the first state when everything has been listed, not before', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  server.set('EndpointSlice', rawSlice('web', ['10.244.1.2']))
  server.set('Node', rawNode('node-a'))
  server.set('ServiceCIDR', rawServiceCIDR('kubernetes', ['10.96.0.0/16']))
  const held = Promise.withResolvers<ServerResponse>()
  server.intercept = ({ kind, watch }, response) => {
    if (kind !== 'EndpointSlice' || watch) return false
    held.resolve(response)
    return true
  }
  const follower = follow(context, server)
  await follower.until(({ statuses }) => statuses.filter(({ phase }) => phase === 'watching').length === 3)
  const response = await held.promise
  assert.equal(follower.states.length, 0)
  server.intercept = () => false
  response.destroy()
  await follower.until(({ states }) => states.length > 0)
  const { objects, errors } = follower.states[0]!
  assert.deepEqual([...objects.services.keys()], ['default/web'])
  assert.deepEqual([...objects.endpointSlices.keys()], ['default/web-abcde'])
  assert.deepEqual([...objects.nodes.keys()], ['node-a'])
  assert.deepEqual(objects.serviceCIDRs.get('kubernetes')?.spec.cidrs, ['10.96.0.0/16'])
  assert.deepEqual(errors, [])
})

test('watchKubernetes() follows additions, changes and deletions', async (context) => {
  const server = await startServer(context)
  const follower = follow(context, server)
  await follower.untilWatching()
  server.set('Service', rawService('web'))
  await follower.untilServices('web')
  server.set('Service', rawService('web', '10.96.0.11'))
  await follower.until(({ last }) => last?.objects.services.get('default/web')?.spec.clusterIPs.join() === '10.96.0.11')
  server.set('Service', rawService('api', '10.96.0.12'))
  server.delete('Service', 'default/web')
  await follower.untilServices('api')
})

test('watchKubernetes() asks as kube-proxy does: its Services, no headless slices, this Node', async (context) => {
  const server = await startServer(context)
  const follower = follow(context, server)
  await follower.untilWatching()
  const selectors = new Map(
    server.requests
      .filter(({ watch }) => watch)
      .map(({ kind, query }) => [kind, [query.get('labelSelector'), query.get('fieldSelector')]]),
  )
  assert.deepEqual(Object.fromEntries(selectors), {
    Service: ['!service.kubernetes.io/service-proxy-name', 'spec.clusterIP!=None'],
    EndpointSlice: ['!service.kubernetes.io/headless', null],
    Node: [null, 'metadata.name=node-a'],
    ServiceCIDR: [null, null],
  })
  for (const { query } of server.requests.filter(({ watch }) => watch)) {
    assert.equal(query.get('allowWatchBookmarks'), 'true')
    const seconds = Number(query.get('timeoutSeconds'))
    assert.ok(seconds >= 300 && seconds <= 600, String(seconds))
  }
})

test('watchKubernetes() reads a list of many pages, compressed and in small pieces', async (context) => {
  const server = await startServer(context)
  server.gzip = true
  server.chunkBytes = 97
  const names = Array.from({ length: 23 }, (_, index) => `svc-${index}`)
  for (const [index, name] of names.entries()) server.set('Service', rawService(name, `10.96.1.${index + 1}`))
  const follower = follow(context, server, { timing: { pageSize: 5 } })
  await follower.untilServices(...names)
  const lists = server.requests.filter(({ kind, watch }) => kind === 'Service' && !watch)
  assert.equal(lists.length, 5)
  assert.ok(lists.every(({ query }) => query.get('limit') === '5' && query.get('resourceVersion') === null))
  assert.equal(follower.states.length, 1, 'a part of a list is never told')
})

test('watchKubernetes() lists a page at a time over one connection', async (context) => {
  const server = await startServer(context)
  for (let index = 0; index < 20; index++) server.set('Service', rawService(`svc-${index}`, `10.96.1.${index + 1}`))
  const follower = follow(context, server, { timing: { pageSize: 2 } })
  await follower.untilWatching()
  assert.ok(server.connections <= 8, `${server.connections} connections`)
})

test('watchKubernetes() begins anew without pages when the server has forgotten the first', async (context) => {
  const server = await startServer(context)
  for (let index = 0; index < 6; index++) server.set('Service', rawService(`svc-${index}`, `10.96.1.${index + 1}`))
  let pages = 0
  server.intercept = ({ kind, query }) => {
    if (kind !== 'Service' || query.get('continue') === null) return false
    // As often as it is asked for a second page, a server as forgetful as this has lost the first.
    server.set('Service', rawService(`late-${pages++}`, `10.96.2.${pages}`))
    server.compact()
    return false
  }
  const follower = follow(context, server, { timing: { pageSize: 2 } })
  await follower.untilServices('svc-0', 'svc-1', 'svc-2', 'svc-3', 'svc-4', 'svc-5', 'late-0')
  assert.equal(follower.states.length, 1)
  assert.equal(pages, 1)
})

test('watchKubernetes() keeps the objects that did not change, and tells nothing when none did', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  server.set('Service', rawService('api', '10.96.0.11'))
  server.set('Node', rawNode('node-a'))
  const follower = follow(context, server)
  await follower.untilWatching()
  const first = follower.last!
  // A heartbeat: another version of the same.
  server.set('Node', rawNode('node-a'))
  server.compact()
  server.cut()
  await follower.until(({ statuses }) => statuses.filter(({ phase }) => phase === 'listing').length >= 8)
  await follower.untilWatching()
  assert.equal(follower.states.length, 1)
  server.set('Service', rawService('api', '10.96.0.12'))
  await follower.until(({ states }) => states.length > 1)
  const { objects } = follower.last!
  assert.equal(objects.services.get('default/web'), first.objects.services.get('default/web'))
  assert.notEqual(objects.services.get('default/api'), first.objects.services.get('default/api'))
  assert.equal(first.objects.services.get('default/api')?.spec.clusterIPs[0], '10.96.0.11', 'a state never changes')
  assert.equal(objects.nodes, first.objects.nodes)
})

test('watchKubernetes() keeps of an object what is read', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  server.set('EndpointSlice', rawSlice('web', ['10.244.1.2']))
  const follower = follow(context, server)
  await follower.untilServices('web')
  const service = follower.last!.objects.services.get('default/web')!
  assert.deepEqual(Object.keys(service.metadata).sort(), ['creationTimestamp', 'name', 'namespace', 'uid'])
  const slice = follower.last!.objects.endpointSlices.get('default/web-abcde')!
  assert.deepEqual(Object.keys(slice.metadata.annotations ?? {}), ['endpoints.kubernetes.io/last-change-trigger-time'])
  assert.deepEqual(Object.keys(slice.endpoints[0]!).sort(), ['addresses', 'conditions', 'nodeName'])
})

test('watchKubernetes() names a bad object and keeps its last good version until it is good or gone', async (context) => {
  const server = await startServer(context)
  const bad = { ...rawService('web'), spec: { clusterIP: '10.96.0.10', ports: [{ port: 'eighty' }] } }
  server.set('Service', rawService('web'))
  server.set('Service', { ...bad, metadata: { ...bad.metadata, name: 'new' } })
  const follower = follow(context, server)
  await follower.untilServices('web')
  assert.deepEqual(
    follower.last!.errors.map(({ source, object, field }) => ({ source, object, field })),
    [{ source: 'kubernetes', object: 'Service default/new', field: 'spec.ports[0].port' }],
  )
  const good = follower.last!.objects.services.get('default/web')
  server.set('Service', bad)
  await follower.until(({ last }) => last?.errors.length === 2)
  assert.equal(follower.last!.objects.services.get('default/web'), good)
  assert.match(follower.last!.errors[0]!.message, /last good version stays/)
  // A relist changes nothing in that.
  server.endWatches()
  server.set('Service', rawService('other', '10.96.0.20'))
  server.compact()
  await follower.untilServices('web', 'other')
  assert.equal(follower.last!.errors.length, 2)
  server.set('Service', rawService('new', '10.96.0.30'))
  server.delete('Service', 'default/web')
  await follower.untilServices('new', 'other')
  assert.deepEqual(follower.last!.errors, [])
})

test('watchKubernetes() keeps nothing of an object that another one of the same name follows', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  const follower = follow(context, server)
  await follower.untilServices('web')
  await follower.untilWatching()
  server.intercept = ({ watch }, response) => {
    if (watch) refuse(response, 410, 'Expired')
    return watch
  }
  server.cut()
  server.delete('Service', 'default/web')
  server.set('Service', { ...rawService('web'), spec: { clusterIP: '10.96.0.10', ports: [{ port: 0 }] } })
  server.intercept = () => false
  server.compact()
  await follower.until(({ last }) => last?.errors.length === 1)
  assert.equal(follower.last!.objects.services.size, 0)
})

for (const [code, reason] of [
  [404, 'NotFound'],
  [403, 'Forbidden'],
] as const) {
  test(`watchKubernetes() does without ServiceCIDRs where they are answered with ${code}`, async (context) => {
    const server = await startServer(context)
    server.set('Service', rawService('web'))
    server.intercept = ({ kind }, response) => {
      if (kind === 'ServiceCIDR') refuse(response, code, reason)
      return kind === 'ServiceCIDR'
    }
    const follower = follow(context, server)
    await follower.untilServices('web')
    const status = follower.statuses.find(({ phase }) => phase === 'absent')
    assert.equal(status?.kind, 'ServiceCIDR')
    assert.match(status?.error?.message ?? '', new RegExp(`\\(${code}\\)`))
  })
}

test('watchKubernetes() asks for all Services where the server cannot select by ClusterIP', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  server.intercept = ({ kind, query }, response) => {
    const refused = kind === 'Service' && query.has('fieldSelector')
    if (refused) refuse(response, 400, 'BadRequest')
    return refused
  }
  const follower = follow(context, server)
  await follower.untilServices('web')
  server.set('Service', rawService('api', '10.96.0.11'))
  await follower.untilServices('web', 'api')
})

test('watchKubernetes() gathers the changes that come while it is being listened to', async (context) => {
  const server = await startServer(context)
  const abort = new AbortController()
  const sizes: number[] = []
  const busy = Promise.withResolvers<void>()
  const first = Promise.withResolvers<void>()
  const all = Promise.withResolvers<void>()
  const done = watchKubernetes({
    nodeName: 'node-a',
    master: server.url,
    signal: abort.signal,
    onChange: async ({ objects }) => {
      sizes.push(objects.services.size)
      if (sizes.length === 1) {
        first.resolve()
        await busy.promise
      }
      if (objects.services.size === 50) all.resolve()
    },
  })
  await first.promise
  while (server.watchers.size < 4) await new Promise(setImmediate)
  for (let index = 0; index < 50; index++) server.set('Service', rawService(`svc-${index}`, `10.96.1.${index + 1}`))
  // What the server has sent is read while the listener is busy: one more answer of the same server says so.
  await fetch(`${server.url}/`)
  busy.resolve()
  await all.promise
  assert.ok(sizes.length <= 3, sizes.join())
  abort.abort()
  await done
})

test('watchKubernetes() ends with its signal and leaves no connection', async (context) => {
  const server = await startServer(context)
  const follower = follow(context, server)
  await follower.untilWatching()
  await follower.stop()
  while (server.watchers.size > 0) await new Promise(setImmediate)
  assert.equal(server.watchers.size, 0)
})

test('watchKubernetes() rejects with what the listener throws', async (context) => {
  const server = await startServer(context)
  const fault = new Error('enough')
  const done = watchKubernetes({
    nodeName: 'node-a',
    master: server.url,
    signal: new AbortController().signal,
    onChange: () => {
      throw fault
    },
  })
  await assert.rejects(done, fault)
})
