// SPDX-License-Identifier: Apache-2.0
/** A model that is kept up to date equals one made anew, and what did not change is the same object. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Model, updateModel } from '../../src/model/model.ts'
import type { EndpointSlice, NodeContext, ObjectSet, Service } from '../../src/model/types.ts'
import { backendsOf, frontendOf, frontendsOf, node, objectSet, on, service, slice } from './model-fixture.ts'

const OLD = '2024-01-01T00:00:00Z'
const YOUNG = '2024-06-01T00:00:00Z'

function named(name: string, spec: object = {}, creationTimestamp?: string): Service {
  return service(
    { clusterIP: '10.96.0.20', ...spec },
    { metadata: { name, ...(creationTimestamp ? { creationTimestamp } : {}) } },
  )
}

function sliceOf(name: string, address: string): EndpointSlice {
  return slice([on('node-b', address)], {}, { name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } })
}

function lost(model: Model): string[] {
  return model.errors.map(({ object, field, message }) => `${object} ${field}: ${message}`)
}

describe('updateModel()', () => {
  const web = named('web', { clusterIP: '10.96.0.1' })
  const api = named('api', { clusterIP: '10.96.0.2' })

  test('one slice changes one plan', () => {
    const slices = [sliceOf('web', '10.1.0.1'), sliceOf('api', '10.1.0.2')]
    const first = updateModel(undefined, objectSet([web, api], slices), node)
    assert.deepEqual([...first.changed].sort(), ['default/api', 'default/web'])
    const before = first.plans.get('default/api')
    const next = updateModel(first, objectSet([web, api], [sliceOf('web', '10.1.0.9'), ...slices.slice(1)]), node)
    assert.deepEqual([...next.changed], ['default/web'])
    assert.equal(next.plans.get('default/api'), before)
    const plan = next.plans.get('default/web')
    assert(plan)
    assert.equal(backendsOf(frontendOf(plan, 'clusterIP').internal), '10.1.0.9:8080')
  })

  test('an object that is another and says the same changes nothing', () => {
    const first = updateModel(undefined, objectSet([web], [sliceOf('web', '10.1.0.1')]), node)
    const before = first.plans.get('default/web')
    const touched = service({ clusterIP: '10.96.0.1' }, { metadata: { resourceVersion: '7', annotations: { a: 'b' } } })
    const next = updateModel(first, objectSet([touched], [sliceOf('web', '10.1.0.1')]), node)
    assert.equal(next.changed.size, 0)
    assert.equal(next.plans.get('default/web'), before)
  })

  test('a Service that is gone is gone, and its slices may come first or last', () => {
    const slices = [sliceOf('web', '10.1.0.1')]
    let model = updateModel(undefined, objectSet([], slices), node)
    assert.equal(model.plans.size, 0)
    model = updateModel(model, objectSet([web], slices), node)
    const plan = model.plans.get('default/web')
    assert(plan)
    assert.equal(backendsOf(frontendOf(plan, 'clusterIP').internal), '10.1.0.1:8080')
    model = updateModel(model, objectSet([], []), node)
    assert.deepEqual([[...model.changed], model.plans.size], [['default/web'], 0])
  })

  test('a slice that moves to another Service changes both', () => {
    const first = updateModel(undefined, objectSet([web, api], [sliceOf('web', '10.1.0.1')]), node)
    const moved = slice(
      [on('node-b', '10.1.0.1')],
      {},
      { name: 'web-1', labels: { 'kubernetes.io/service-name': 'api' } },
    )
    const next = updateModel(first, objectSet([web, api], [moved]), node)
    assert.deepEqual([...next.changed].sort(), ['default/api', 'default/web'])
  })

  test('another node plans everything, and what comes out equal stays', () => {
    const ported = named('web', { clusterIP: '10.96.0.1', type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] })
    const first = updateModel(undefined, objectSet([ported, api], []), node)
    const before = first.plans.get('default/api')
    const next = updateModel(first, objectSet([ported, api], []), { ...node, nodePortAddresses: ['192.168.0.2'] })
    assert.deepEqual([...next.changed], ['default/web'])
    assert.equal(next.plans.get('default/api'), before)
  })
})

describe('contested frontends', () => {
  const external = { externalIPs: ['203.0.113.1'], ports: [{ port: 80 }] }
  const older = named('z-older', { ...external, clusterIP: '10.96.0.1' }, OLD)
  const younger = named('a-younger', { ...external, clusterIP: '10.96.0.2' }, YOUNG)

  test('the older keeps it, the loss is visible, nothing else is lost', () => {
    for (const order of [
      [older, younger],
      [younger, older],
    ]) {
      const model = updateModel(undefined, objectSet(order, []), node)
      assert.deepEqual([...model.plans.values()].map((plan) => [plan.name, ...frontendsOf(plan)]).sort(), [
        ['a-younger', 'clusterIP 10.96.0.2 80'],
        ['z-older', 'clusterIP 10.96.0.1 80', 'externalIP 203.0.113.1 80'],
      ])
      assert.deepEqual(lost(model), [
        'Service default/a-younger spec.externalIPs: externalIP 203.0.113.1 port 80 TCP belongs to Service default/z-older, which has precedence',
      ])
    }
  })

  test('when the winner goes the other takes over, and gives it back', () => {
    let model = updateModel(undefined, objectSet([older, younger], []), node)
    model = updateModel(model, objectSet([younger], []), node)
    assert.deepEqual([[...model.changed].sort(), lost(model)], [['default/a-younger', 'default/z-older'], []])
    const plan = model.plans.get('default/a-younger')
    assert(plan)
    assert(frontendsOf(plan).includes('externalIP 203.0.113.1 80'))
    model = updateModel(model, objectSet([older, younger], []), node)
    assert.deepEqual([...model.changed].sort(), ['default/a-younger', 'default/z-older'])
    assert.equal(lost(model).length, 1)
  })

  test('of the same age the first by name keeps it; one without an age is the youngest', () => {
    const winner = (a: Service, b: Service) =>
      [...updateModel(undefined, objectSet([a, b], []), node).plans.values()].find(
        (plan) => frontendsOf(plan).length === 2,
      )?.name
    const make = (name: string, clusterIP: string, age?: string) => named(name, { ...external, clusterIP }, age)
    assert.equal(winner(make('b', '10.96.0.1', OLD), make('a', '10.96.0.2', OLD)), 'a')
    assert.equal(winner(make('a', '10.96.0.1'), make('b', '10.96.0.2', YOUNG)), 'b')
    assert.equal(winner(make('b', '10.96.0.1'), make('a', '10.96.0.2')), 'a')
  })

  test('another port or protocol is no contest; a NodePort and an external IP may be one', () => {
    const udp = named('udp', { ...external, clusterIP: '10.96.0.3', ports: [{ port: 80, protocol: 'UDP' }] }, YOUNG)
    assert.deepEqual(lost(updateModel(undefined, objectSet([older, udp], []), node)), [])
    const external30080 = named('e', { externalIPs: ['192.168.0.1'], ports: [{ port: 30080 }] }, OLD)
    const nodePort = named(
      'n',
      { clusterIP: '10.96.0.9', type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] },
      YOUNG,
    )
    assert.equal(lost(updateModel(undefined, objectSet([external30080, nodePort], []), node)).length, 1)
  })

  test('the error names where the loser was read', () => {
    const objects: ObjectSet = {
      ...objectSet([older, younger], []),
      origins: new Map([['Service default/a-younger', 'a.yaml']]),
    }
    assert.equal(updateModel(undefined, objects, node).errors[0]?.source, 'a.yaml')
  })
})

test('updateModel() tells which objects changed, also where the node changed with them', () => {
  const web = named('web', { clusterIP: '10.96.0.1' })
  const old = sliceOf('web', '10.1.0.1')
  const other = sliceOf('api', '10.1.0.2')
  const first = updateModel(undefined, objectSet([web], [old, other]), node)
  assert.deepEqual(first.changes.services, [{ before: undefined, after: web }])
  const young = sliceOf('web', '10.1.0.9')
  for (const context of [node, { ...node, nodeName: 'node-b' }]) {
    const before = updateModel(undefined, objectSet([web], [old, other]), node)
    const { changes } = updateModel(before, objectSet([web], [young]), context)
    assert.deepEqual(changes.services, [])
    assert.deepEqual(changes.slices, [
      { before: old, after: young },
      { before: other, after: undefined },
    ])
  }
})

test('a model that is kept up to date equals one made anew', () => {
  let random = 20_240_101
  const next = (below: number) => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0
    return (random >>> 8) % below
  }
  const services = new Map<string, Service>()
  const slices = new Map<string, EndpointSlice>()
  const contexts: NodeContext[] = [node, { ...node, nodeName: 'node-b' }]
  let context: NodeContext = node
  let model: Model | undefined
  for (let step = 0; step < 400; step++) {
    const name = `s${next(8)}`
    const choice = next(20)
    if (choice < 8) {
      const spec = {
        clusterIP: `10.96.0.${next(6)}`,
        externalIPs: next(2) ? [`203.0.113.${next(3)}`] : [],
        internalTrafficPolicy: next(2) ? 'Local' : 'Cluster',
      }
      services.set(`default/${name}`, named(name, spec, next(3) ? `2024-01-0${1 + next(4)}T00:00:00Z` : undefined))
    } else if (choice < 11) {
      services.delete(`default/${name}`)
    } else if (choice < 17) {
      const made = slice(
        [on(next(2) ? 'node-a' : 'node-b', `10.1.0.${next(4)}`)],
        {},
        {
          name: `x${next(6)}`,
          labels: { 'kubernetes.io/service-name': name },
        },
      )
      slices.set(`default/${made.metadata.name}`, made)
    } else if (choice < 19) {
      slices.delete(`default/x${next(6)}`)
    } else {
      context = contexts[next(2)] ?? node
    }
    const objects: ObjectSet = {
      services: new Map(services),
      endpointSlices: new Map(slices),
      nodes: new Map(),
      serviceCIDRs: new Map(),
    }
    const before: Map<string, unknown> = new Map(model?.plans)
    model = updateModel(model, objects, context)
    const fresh = updateModel(undefined, objects, context)
    assert.deepEqual(new Map([...model.plans].sort()), new Map([...fresh.plans].sort()), `step ${step}`)
    assert.deepEqual(lost(model).sort(), lost(fresh).sort(), `step ${step}`)
    const keys = new Set([...before.keys(), ...model.plans.keys()])
    const really = [...keys].filter((key) => before.get(key) !== model?.plans.get(key))
    assert.deepEqual(really.sort(), [...model.changed].sort(), `step ${step}: changed says what changed`)
  }
})
