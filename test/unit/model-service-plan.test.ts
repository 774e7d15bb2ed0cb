// SPDX-License-Identifier: Apache-2.0
/** What a Service means on a node: frontends, policies, endpoints; a row for each rule of kube-proxy. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { NodeContext } from '../../src/model/types.ts'
import { backendsOf, frontendOf, frontendsOf, node, on, plan, service, slice } from './model-fixture.ts'

const ingress = (...entries: readonly object[]) => ({ status: { loadBalancer: { ingress: entries } } })

describe('planService() frontends', () => {
  const rows: readonly { name: string; plan: ReturnType<typeof plan>; want: readonly string[] }[] = [
    { name: 'ClusterIP', plan: plan(service()), want: ['clusterIP 10.96.0.10 80'] },
    {
      name: 'a ClusterIP of each family',
      plan: plan(service({ clusterIPs: ['fd00:96::10', '10.96.0.10'], clusterIP: undefined })),
      want: ['clusterIP 10.96.0.10 80', 'clusterIP fd00:96::10 80'],
    },
    { name: 'headless has none', plan: plan(service({ clusterIP: 'None' })), want: [] },
    {
      name: 'ExternalName has none',
      plan: plan(service({ type: 'ExternalName', externalName: 'a.example' })),
      want: [],
    },
    {
      name: 'without a ClusterIP none',
      plan: plan(service({ clusterIP: '', type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] })),
      want: [],
    },
    {
      name: "another proxy's Service has none",
      plan: plan(service({}, { metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } } })),
      want: [],
    },
    {
      name: 'NodePort on the node addresses of its family and on 127.0.0.1',
      plan: plan(service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] })),
      want: ['clusterIP 10.96.0.10 80', 'nodePort 127.0.0.1 30080', 'nodePort 192.168.0.1 30080'],
    },
    {
      name: 'NodePort not on loopback where that is off',
      plan: plan(service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] }), [], {
        ...node,
        localhostNodePorts: false,
      }),
      want: ['clusterIP 10.96.0.10 80', 'nodePort 192.168.0.1 30080'],
    },
    {
      name: 'NodePort never on the loopback of IPv6',
      plan: plan(service({ type: 'NodePort', clusterIP: 'fd00:96::10', ports: [{ port: 80, nodePort: 30080 }] })),
      want: ['clusterIP fd00:96::10 80', 'nodePort fd00:192::1 30080'],
    },
    {
      name: 'LoadBalancer IPs of the status, VIP mode, of the families of the Service',
      plan: plan(
        service(
          { type: 'LoadBalancer', loadBalancerIP: '203.0.113.99' },
          ingress(
            { ip: '203.0.113.1' },
            { ip: '203.0.113.2', ipMode: 'VIP' },
            { ip: '203.0.113.3', ipMode: 'Proxy' },
            { ip: '2001:db8::1' },
            { hostname: 'lb.example' },
          ),
        ),
      ),
      want: ['clusterIP 10.96.0.10 80', 'loadBalancerIP 203.0.113.1 80', 'loadBalancerIP 203.0.113.2 80'],
    },
    {
      name: 'external IPs of the families of the Service',
      plan: plan(service({ externalIPs: ['203.0.113.9', '2001:db8::9'] })),
      want: ['clusterIP 10.96.0.10 80', 'externalIP 203.0.113.9 80'],
    },
    {
      name: 'an address that is both LB and external IP is one LB IP',
      plan: plan(service({ externalIPs: ['203.0.113.1'] }, ingress({ ip: '203.0.113.1' }))),
      want: ['clusterIP 10.96.0.10 80', 'loadBalancerIP 203.0.113.1 80'],
    },
    {
      name: 'leading zeros are decimal',
      plan: plan(service({ clusterIP: '10.096.000.010', externalIPs: ['203.000.113.009'] })),
      want: ['clusterIP 10.96.0.10 80', 'externalIP 203.0.113.9 80'],
    },
  ]
  for (const row of rows) test(row.name, () => assert.deepEqual(frontendsOf(row.plan), row.want))

  test('a frontend on 127.0.0.1 is marked as loopback, no other is', () => {
    const { ports } = plan(service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] }))
    const marked = ports.flatMap(({ frontends }) => frontends.filter(({ loopback }) => loopback))
    assert.deepEqual(
      marked.map(({ address }) => address),
      ['127.0.0.1'],
    )
  })

  test('the addresses as a whole are listed once', () => {
    const made = plan(service({ externalIPs: ['203.0.113.9', '203.0.113.9'] }, ingress({ ip: '203.0.113.1' })))
    assert.deepEqual(made.clusterIPs, ['10.96.0.10'])
    assert.deepEqual(made.externalAddresses, ['203.0.113.1', '203.0.113.9'])
  })
})

describe('planService() policies', () => {
  const here = on('node-a', '10.1.0.1')
  const there = on('node-b', '10.1.1.1')
  const terminating = { conditions: { ready: false, serving: true, terminating: true } }
  const rows: readonly {
    name: string
    internal?: string
    external?: string
    endpoints: readonly object[]
    clusterIP: string
    /** What pods and the node get of a NodePort, what the others get. */
    inside: string
    outside: string
  }[] = [
    {
      name: 'Cluster, Cluster',
      endpoints: [here, there],
      clusterIP: '10.1.0.1:8080 10.1.1.1:8080',
      inside: '10.1.0.1:8080 10.1.1.1:8080',
      outside: '10.1.0.1:8080 10.1.1.1:8080',
    },
    {
      name: 'nothing usable: reject everywhere',
      internal: 'Local',
      external: 'Local',
      endpoints: [],
      clusterIP: 'reject',
      inside: 'reject',
      outside: 'reject',
    },
    {
      name: 'none ready: reject everywhere',
      internal: 'Local',
      external: 'Local',
      endpoints: [{ ...here, conditions: { ready: false } }],
      clusterIP: 'reject',
      inside: 'reject',
      outside: 'reject',
    },
    {
      name: 'internal Local',
      internal: 'Local',
      endpoints: [here, there],
      clusterIP: '10.1.0.1:8080',
      inside: '10.1.0.1:8080 10.1.1.1:8080',
      outside: '10.1.0.1:8080 10.1.1.1:8080',
    },
    {
      name: 'internal Local, none here: drop at the ClusterIP only',
      internal: 'Local',
      endpoints: [there],
      clusterIP: 'drop',
      inside: '10.1.1.1:8080',
      outside: '10.1.1.1:8080',
    },
    {
      name: 'external Local: pods and the node go to all',
      external: 'Local',
      endpoints: [here, there],
      clusterIP: '10.1.0.1:8080 10.1.1.1:8080',
      inside: '10.1.0.1:8080 10.1.1.1:8080',
      outside: '10.1.0.1:8080',
    },
    {
      name: 'external Local, none here: drop for outsiders',
      external: 'Local',
      endpoints: [there],
      clusterIP: '10.1.1.1:8080',
      inside: '10.1.1.1:8080',
      outside: 'drop',
    },
    {
      name: 'both Local, only terminating ones here',
      internal: 'Local',
      external: 'Local',
      endpoints: [{ ...here, ...terminating }, there],
      clusterIP: '10.1.0.1:8080',
      inside: '10.1.1.1:8080',
      outside: '10.1.0.1:8080',
    },
    {
      name: 'both Local, remote and terminating: drop',
      internal: 'Local',
      external: 'Local',
      endpoints: [{ ...there, ...terminating }],
      clusterIP: 'drop',
      inside: '10.1.1.1:8080',
      outside: 'drop',
    },
  ]
  for (const row of rows) {
    test(row.name, () => {
      const object = service({
        type: 'NodePort',
        ports: [{ port: 80, nodePort: 30080 }],
        internalTrafficPolicy: row.internal,
        externalTrafficPolicy: row.external,
      })
      const made = plan(object, [slice(row.endpoints as readonly Record<string, unknown>[])])
      const clusterIP = frontendOf(made, 'clusterIP')
      const nodePort = frontendOf(made, 'nodePort')
      assert.equal(clusterIP.internal, clusterIP.external, 'a ClusterIP has one set for everybody')
      assert.deepEqual(
        {
          clusterIP: backendsOf(clusterIP.internal),
          inside: backendsOf(nodePort.internal),
          outside: backendsOf(nodePort.external),
        },
        { clusterIP: row.clusterIP, inside: row.inside, outside: row.outside },
      )
    })
  }

  test('an external policy means nothing for a Service that is not reachable from outside', () => {
    const made = plan(service({ externalTrafficPolicy: 'Local' }), [slice([there])])
    assert.equal(backendsOf(frontendOf(made, 'clusterIP').external), '10.1.1.1:8080')
  })

  test('the scopes share one set object where they do not differ', () => {
    const made = plan(service({ externalIPs: ['203.0.113.9'] }), [slice([here, there])])
    const external = frontendOf(made, 'externalIP')
    assert.equal(external.internal, external.external)
    assert.equal(external.internal, frontendOf(made, 'clusterIP').internal)
  })
})

describe('planService() endpoints', () => {
  const clusterSet = (...args: Parameters<typeof plan>) => backendsOf(frontendOf(plan(...args), 'clusterIP').internal)

  test('ports match by name and protocol, never by number', () => {
    const object = service({
      ports: [
        { name: 'http', port: 80 },
        { name: 'dns', port: 53, protocol: 'UDP' },
      ],
    })
    const ports = [
      { name: 'http', port: 9090 },
      { name: 'dns', port: 53 },
      { name: 'other', port: 80 },
    ]
    const made = plan(object, [slice([on('node-b', '10.1.1.1')], { ports })])
    assert.deepEqual(
      made.ports.map(({ portName, frontends }) => [portName, frontends.map(({ internal }) => backendsOf(internal))]),
      [
        ['http', ['10.1.1.1:9090']],
        ['dns', ['reject']],
      ],
    )
  })

  test('one name has several numbers in several slices', () => {
    const slices = [
      slice([on('node-b', '10.1.1.1')], { ports: [{ port: 8081 }] }, { name: 'web-2' }),
      slice([on('node-b', '10.1.1.1'), on('node-b', '10.1.1.2')]),
    ]
    assert.equal(clusterSet(service(), slices), '10.1.1.1:8080 10.1.1.1:8081 10.1.1.2:8080')
  })

  test('duplicates merge and local wins', () => {
    const slices = [slice([on('node-b', '10.1.1.1')]), slice([on('node-a', '10.1.1.1')], {}, { name: 'web-2' })]
    for (const order of [slices, slices.toReversed()]) {
      const { backends } = frontendOf(plan(service(), order), 'clusterIP').internal
      assert.deepEqual(backends, [{ address: '10.1.1.1', port: 8080, local: true }])
    }
  })

  test('backends are sorted by address bytes, then port', () => {
    const slices = [
      slice([on('b', '10.1.0.100'), on('b', '10.1.0.9'), on('b', '9.255.0.1')], {
        ports: [{ port: 81 }, { port: 80 }],
      }),
    ]
    assert.equal(
      clusterSet(service(), slices),
      '9.255.0.1:80 9.255.0.1:81 10.1.0.9:80 10.1.0.9:81 10.1.0.100:80 10.1.0.100:81',
    )
  })

  test('ports without a number, FQDN slices and headless slices give nothing', () => {
    const slices = [
      slice([on('b', '10.1.0.1')], { ports: [{}] }),
      slice([on('b', 'pod.example')], { addressType: 'FQDN' }),
      slice(
        [on('b', '10.1.0.2')],
        {},
        { labels: { 'kubernetes.io/service-name': 'web', 'service.kubernetes.io/headless': '' } },
      ),
      slice([on('b', '10.1.0.3')], { ports: null }),
    ]
    assert.equal(clusterSet(service(), slices), 'reject')
  })

  test('absent ready is ready; absent serving is what ready is', () => {
    const terminating = (conditions: object) => [slice([on('b', '10.1.0.1', { conditions })])]
    assert.equal(clusterSet(service(), terminating({})), '10.1.0.1:8080')
    assert.equal(clusterSet(service(), terminating({ ready: null })), '10.1.0.1:8080')
    assert.equal(clusterSet(service(), terminating({ ready: false, terminating: true })), 'reject')
    assert.equal(
      clusterSet(service(), terminating({ ready: false, serving: true, terminating: true })),
      '10.1.0.1:8080',
    )
  })

  test('each family has its own endpoints and its own decision about hints', () => {
    const object = service({ clusterIP: undefined, clusterIPs: ['10.96.0.10', 'fd00:96::10'] })
    const hint = (zone: string) => ({ hints: { forZones: [{ name: zone }] } })
    const slices = [
      slice([on('b', '10.1.0.1', hint('a')), on('b', '10.1.0.2', hint('b'))]),
      slice([on('b', 'fd00::1', hint('a')), on('b', 'fd00::2')], { addressType: 'IPv6' }, { name: 'web-6' }),
    ]
    const { ports } = plan(object, slices, { ...node, zone: 'a' })
    assert.deepEqual(
      ports[0]?.frontends.map(({ internal }) => backendsOf(internal)),
      ['10.1.0.1:8080', 'fd00::1:8080 fd00::2:8080'],
    )
  })

  test('an endpoint is local by its node name, or without one by an address of the node', () => {
    const local = (endpoint: Record<string, unknown>) =>
      frontendOf(plan(service(), [slice([endpoint])]), 'clusterIP').internal.backends[0]?.local
    assert.equal(local(on('node-a', '10.1.0.1')), true)
    assert.equal(local(on('node-b', '192.168.0.1')), false)
    assert.equal(local({ addresses: ['192.168.0.1'] }), true)
    assert.equal(local({ addresses: ['10.1.0.1'] }), false)
  })

  test('only the first address of an endpoint is used', () => {
    assert.equal(clusterSet(service(), [slice([{ addresses: ['10.1.0.1', '10.1.0.2'] }])]), '10.1.0.1:8080')
  })
})

describe('planService() source ranges', () => {
  const ranges = (list: readonly string[], context: NodeContext = node) => {
    const object = service(
      {
        type: 'LoadBalancer',
        externalIPs: ['203.0.113.9'],
        ports: [{ port: 80, nodePort: 30080 }],
        loadBalancerSourceRanges: list,
      },
      ingress({ ip: '203.0.113.1' }),
    )
    return plan(object, [], context)
  }

  test('guard the LB IPs and nothing else', () => {
    const made = ranges(['198.51.100.0/24'])
    assert.deepEqual(frontendOf(made, 'loadBalancerIP').sourceRanges, ['198.51.100.0/24'])
    for (const kind of ['clusterIP', 'externalIP', 'nodePort'] as const)
      assert.equal(frontendOf(made, kind).sourceRanges, undefined)
  })

  const rows: readonly { name: string; ranges: readonly string[]; want: readonly string[] | undefined }[] = [
    { name: 'none: everyone', ranges: [], want: undefined },
    {
      name: 'blanks, host bits and leading zeros do not matter',
      ranges: [' 198.051.100.7/24 '],
      want: ['198.51.100.0/24'],
    },
    { name: 'ranges of the other family do not restrict this one', ranges: ['2001:db8::/32'], want: undefined },
    {
      name: "with the node's address among them, the LB IP is allowed too",
      ranges: ['192.168.0.0/16'],
      want: ['192.168.0.0/16', '203.0.113.1/32'],
    },
  ]
  for (const row of rows) {
    test(row.name, () => assert.deepEqual(frontendOf(ranges(row.ranges), 'loadBalancerIP').sourceRanges, row.want))
  }

  test("another of the node's addresses than its own does not count", () => {
    const context = { ...node, nodeAddresses: [...node.nodeAddresses, '172.20.0.1'] }
    assert.deepEqual(frontendOf(ranges(['172.20.0.0/16'], context), 'loadBalancerIP').sourceRanges, ['172.20.0.0/16'])
  })
})

describe('planService() health checks and affinity', () => {
  const balancer = (spec: object) => service({ type: 'LoadBalancer', healthCheckNodePort: 32000, ...spec })

  test('a health check port counts only for a LoadBalancer with external policy Local', () => {
    assert.equal(plan(balancer({ externalTrafficPolicy: 'Local' })).healthCheckNodePort, 32000)
    assert.equal(plan(balancer({})).healthCheckNodePort, 0)
    assert.equal(plan(balancer({ type: 'NodePort', externalTrafficPolicy: 'Local' })).healthCheckNodePort, 0)
  })

  test('local ready endpoints are counted by distinct address, not by family or port', () => {
    const ports = [
      { name: 'a', port: 1 },
      { name: 'b', port: 2 },
    ]
    const object = service({ clusterIP: undefined, clusterIPs: ['10.96.0.10', 'fd00:96::10'], ports })
    const slices = [
      slice(
        [
          on('node-a', '10.1.0.1'),
          on('node-a', '10.1.0.2', { conditions: { ready: false, serving: true, terminating: true } }),
          on('node-b', '10.1.1.1'),
        ],
        { ports },
      ),
      slice([on('node-a', '10.1.0.1')], { ports }, { name: 'web-2' }),
      slice([on('node-a', 'fd00::1')], { ports, addressType: 'IPv6' }, { name: 'web-6' }),
    ]
    assert.equal(plan(object, slices).localReadyEndpoints, 1)
  })

  test('affinity lasts three hours unless said otherwise', () => {
    assert.equal(plan(service()).affinitySeconds, 0)
    assert.equal(plan(service({ sessionAffinity: 'ClientIP' })).affinitySeconds, 10_800)
    const timeoutSeconds = (seconds: number) => ({
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: seconds } },
    })
    assert.equal(plan(service(timeoutSeconds(60))).affinitySeconds, 60)
  })
})
