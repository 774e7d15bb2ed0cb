// SPDX-License-Identifier: Apache-2.0
/** Addresses and ports for Services that ask for none: the same on every node, and kept. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { objectKey } from '../../src/model/normalize-metadata.ts'
import type { Service } from '../../src/model/types.ts'
import {
  type AllocateOptions,
  allocateServices,
  DEFAULT_NODE_PORT_RANGE,
  DEFAULT_SERVICE_CIDRS,
} from '../../src/source/controllers/allocate-services.ts'
import { allocationsOf } from '../../src/source/controllers/allocations.ts'
import { service } from './model-fixture.ts'

const defaults: AllocateOptions = {
  serviceCidrs: DEFAULT_SERVICE_CIDRS,
  nodePortRange: DEFAULT_NODE_PORT_RANGE,
  previous: {},
}

function named(name: string, spec: object = {}, metadata: object = {}): Service {
  return service({ clusterIP: undefined, ...spec }, { metadata: { name, ...metadata } })
}

function allocate(services: readonly Service[], options: Partial<AllocateOptions> = {}) {
  const byKey = new Map(services.map((object) => [objectKey(object.metadata), object]))
  const result = allocateServices(byKey, { ...defaults, ...options })
  const spec = (name: string) => result.services.get(`default/${name}`)!.spec
  return { ...result, spec }
}

const many = (count: number, spec: object = {}) => Array.from({ length: count }, (_, index) => named(`s${index}`, spec))

describe('allocateServices()', () => {
  test('gives each Service an address of the range, none twice', () => {
    const { services, errors } = allocate(many(2_000))
    const addresses = [...services.values()].flatMap(({ spec }) => spec.clusterIPs)
    assert.equal(errors.length, 0)
    assert.equal(new Set(addresses).size, 2_000)
    for (const address of addresses) {
      assert.match(address, /^10\.96\.\d+\.\d+$/)
      assert(!['10.96.0.0', '10.96.0.1', '10.96.255.255'].includes(address))
    }
  })

  test('does not depend on the order in which objects are read', () => {
    const services = many(500, { type: 'NodePort' })
    const forth = allocate(services)
    const back = allocate(services.toReversed())
    assert.deepEqual(new Map([...forth.services].sort()), new Map([...back.services].sort()))
  })

  test('an existing Service keeps its numbers whatever comes or goes', () => {
    const crowded = { serviceCidrs: ['10.96.0.0/26'], nodePortRange: { min: 30_000, max: 30_063 } }
    const before = allocate(many(20, { type: 'NodePort' }), crowded)
    const previous = allocationsOf(before.services)
    const newcomers = Array.from({ length: 20 }, (_, index) => named(`a${index}`, { type: 'NodePort' }))
    const after = allocate([...newcomers, ...many(20, { type: 'NodePort' })], { ...crowded, previous })
    assert.equal(after.errors.length, 0)
    for (let index = 0; index < 20; index++) assert.deepEqual(after.spec(`s${index}`), before.spec(`s${index}`))
    const moved = allocate([...newcomers, ...many(20, { type: 'NodePort' })], crowded)
    assert(
      many(20).some((_, index) => moved.spec(`s${index}`).clusterIPs[0] !== before.spec(`s${index}`).clusterIPs[0]),
      'the range is crowded enough that without the past somebody would move',
    )
  })

  test('a Service that has all it needs stays the same object', () => {
    const complete = [
      named('a', { clusterIP: '10.96.0.10' }),
      named('b', { type: 'NodePort', clusterIP: '172.30.0.1', ports: [{ port: 80, nodePort: 30_080 }] }),
      named('c', { clusterIP: 'None' }),
      named('d', { type: 'ExternalName', externalName: 'a.example', ports: [] }),
    ]
    const { services, errors } = allocate(complete)
    assert.deepEqual(errors, [])
    for (const object of complete) assert.equal(services.get(objectKey(object.metadata)), object)
  })

  test('what is asked for is never given to another', () => {
    const all = Array.from({ length: 12 }, (_, index) => `10.96.0.${index + 2}`)
    const asking = all.map((clusterIP, index) => named(`z${index}`, { clusterIP }))
    const { spec, errors } = allocate([named('a'), named('b'), ...asking], { serviceCidrs: ['10.96.0.0/28'] })
    assert.equal(spec('a').clusterIPs[0], '10.96.0.14')
    assert.deepEqual(errors, [
      {
        object: 'Service default/b',
        field: 'spec.clusterIPs',
        message: 'No free IPv4 address is left in the service CIDRs',
      },
    ])
  })

  test('two Services that ask for one address: an error for the younger', () => {
    const services = [
      named('a', { clusterIP: '10.96.0.10' }, { creationTimestamp: '2024-06-01T00:00:00Z' }),
      named('b', { clusterIP: '10.96.0.10' }, { creationTimestamp: '2024-01-01T00:00:00Z' }),
    ]
    const { errors, spec } = allocate(services)
    assert.deepEqual(errors, [
      {
        object: 'Service default/a',
        field: 'spec.clusterIPs[0]',
        message: '10.96.0.10 belongs to Service default/b, which is older',
      },
    ])
    assert.deepEqual(spec('a').clusterIPs, ['10.96.0.10'])
  })

  const families: readonly {
    name: string
    spec: object
    cidrs?: readonly string[]
    want: readonly string[]
    error?: string
  }[] = [
    { name: 'the primary family', spec: {}, want: ['IPv4'] },
    {
      name: 'the primary family is that of the first range',
      spec: {},
      cidrs: ['fd00::/112', '10.96.0.0/16'],
      want: ['IPv6'],
    },
    { name: 'the family asked for', spec: { ipFamilies: ['IPv6'] }, want: ['IPv6'] },
    { name: 'both, where preferred', spec: { ipFamilyPolicy: 'PreferDualStack' }, want: ['IPv4', 'IPv6'] },
    {
      name: 'both, in the order asked for',
      spec: { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] },
      want: ['IPv6', 'IPv4'],
    },
    { name: 'both, where two are named', spec: { ipFamilies: ['IPv6', 'IPv4'] }, want: ['IPv6', 'IPv4'] },
    {
      name: 'one, where the cluster has one and both are preferred',
      spec: { ipFamilyPolicy: 'PreferDualStack' },
      cidrs: ['10.96.0.0/16'],
      want: ['IPv4'],
    },
    {
      name: 'an error where both are required',
      spec: { ipFamilyPolicy: 'RequireDualStack' },
      cidrs: ['10.96.0.0/16'],
      want: ['IPv4'],
      error: 'spec.ipFamilyPolicy',
    },
    {
      name: 'the second beside one given by hand',
      spec: { clusterIP: 'fd00:10:96::77', ipFamilyPolicy: 'PreferDualStack' },
      want: ['IPv6', 'IPv4'],
    },
    { name: 'none beside one given by hand otherwise', spec: { clusterIP: 'fd00:10:96::77' }, want: ['IPv6'] },
  ]
  for (const { name, spec, cidrs = DEFAULT_SERVICE_CIDRS, want, error } of families) {
    test(`ClusterIP families: ${name}`, () => {
      const result = allocate([named('web', spec)], { serviceCidrs: cidrs })
      assert.deepEqual(
        result.spec('web').clusterIPs.map((address) => (address.includes(':') ? 'IPv6' : 'IPv4')),
        want,
      )
      assert.deepEqual(
        result.errors.map(({ field }) => field),
        error ? [error] : [],
      )
    })
  }

  test('NodePorts are for those who need them, within the range, once a protocol', () => {
    const services = [
      named('plain'),
      named('ports', {
        type: 'NodePort',
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 81, nodePort: 30_007 },
        ],
      }),
      named('lb', { type: 'LoadBalancer' }),
      named('bare', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
    ]
    const { spec } = allocate([...services, ...many(1_500, { type: 'NodePort' })])
    const portsOf = (name: string) => spec(name).ports.map(({ nodePort }) => nodePort)
    assert.deepEqual([portsOf('plain'), portsOf('bare'), portsOf('ports')[1]], [[0], [0], 30_007])
    const given = [...portsOf('ports'), ...portsOf('lb'), ...many(1_500).flatMap((_, index) => portsOf(`s${index}`))]
    assert.equal(new Set(given).size, given.length)
    for (const port of given) assert(port >= 30_000 && port <= 32_767, String(port))
  })

  test('a full NodePort range is an error that names the Service', () => {
    const { errors } = allocate(many(5, { type: 'NodePort' }), { nodePortRange: { min: 30_000, max: 30_003 } })
    assert.deepEqual(
      errors.map(({ object, field }) => [object, field]),
      [['Service default/s4', 'spec.ports']],
    )
  })

  test('TCP and UDP of one port get one number', () => {
    const ports = [
      { name: 'tcp', port: 53 },
      { name: 'udp', port: 53, protocol: 'UDP' },
    ]
    const [tcp, udp] = allocate([named('dns', { type: 'NodePort', ports })]).spec('dns').ports
    assert.equal(tcp?.nodePort, udp?.nodePort)
  })

  test('a health check port is for a LoadBalancer with policy Local, and no other port', () => {
    const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' }
    const { spec } = allocate([
      named('lb', local),
      named('np', { ...local, type: 'NodePort' }),
      named('cluster', { type: 'LoadBalancer' }),
    ])
    const port = spec('lb').healthCheckNodePort
    assert(port >= 30_000 && port <= 32_767)
    assert.notEqual(port, spec('lb').ports[0]?.nodePort)
    assert.deepEqual([spec('np').healthCheckNodePort, spec('cluster').healthCheckNodePort], [0, 0])
  })
})
