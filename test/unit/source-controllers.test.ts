// SPDX-License-Identifier: Apache-2.0
/** Pods and Endpoints become the slices that a cluster's controllers would make of them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Fields } from '../../src/model/fields.ts'
import { normalize } from '../../src/model/normalize.ts'
import type { EndpointSlice, Node } from '../../src/model/types.ts'
import { mirrorEndpoints } from '../../src/source/controllers/mirror-endpoints.ts'
import { PodIndex } from '../../src/source/controllers/pod-index.ts'
import { selectPods } from '../../src/source/controllers/select-pods.ts'
import { normalizeEndpoints } from '../../src/source/endpoints.ts'
import { normalizePod, type Pod } from '../../src/source/pod.ts'
import { service } from './model-fixture.ts'

const ready = [{ type: 'Ready', status: 'True' }]

function pod(name: string, rest: { metadata?: object; spec?: object; status?: object } = {}): Pod {
  const containers = [{ name: 'c', ports: [{ name: 'http', containerPort: 8080 }] }]
  return normalizePod(
    new Fields({
      metadata: { name, labels: { app: 'web' }, ...rest.metadata },
      spec: { nodeName: 'node-a', containers, ...rest.spec },
      status: { phase: 'Running', podIPs: [{ ip: '10.1.0.1' }], conditions: ready, ...rest.status },
    }),
  )
}

const { object: nodeA } = normalize(
  'Node',
  { metadata: { name: 'node-a', labels: { 'topology.kubernetes.io/zone': 'a' } } },
  '',
)
const nodes = new Map<string, Node>([['node-a', nodeA!]])
const web = service({ selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] })

const slices = (pods: readonly Pod[], object = web) => selectPods(object, ['IPv4'], pods, nodes)
const addresses = (made: readonly EndpointSlice[]) =>
  made.map((slice) => slice.endpoints.map((endpoint) => endpoint.addresses.join()))

describe('selectPods()', () => {
  test('says all of a Pod that a proxy asks for', () => {
    assert.deepEqual(slices([pod('web-1')]), [
      {
        metadata: {
          name: 'web-pods-ipv4-0',
          namespace: 'default',
          labels: {
            'kubernetes.io/service-name': 'web',
            'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
          },
        },
        addressType: 'IPv4',
        endpoints: [
          {
            addresses: ['10.1.0.1'],
            conditions: { ready: true, serving: true, terminating: false },
            nodeName: 'node-a',
            zone: 'a',
            targetRef: { kind: 'Pod', name: 'web-1', namespace: 'default' },
          },
        ],
        ports: [{ name: '', protocol: 'TCP', port: 8080 }],
      },
    ])
  })

  const deleted = { metadata: { deletionTimestamp: '2024-01-01T00:00:00Z' } }
  const notReady = { status: { conditions: [{ type: 'Ready', status: 'False' }] } }
  const conditions: readonly { name: string; pod: Pod; publish?: boolean; want: string }[] = [
    { name: 'ready', pod: pod('p'), want: 'ready serving' },
    { name: 'not ready', pod: pod('p', notReady), want: '' },
    { name: 'no condition Ready', pod: pod('p', { status: { conditions: [] } }), want: '' },
    {
      name: 'written by hand, without conditions',
      pod: pod('p', { status: { conditions: undefined } }),
      want: 'ready serving',
    },
    { name: 'terminating', pod: pod('p', deleted), want: 'serving terminating' },
    { name: 'terminating, not ready', pod: pod('p', { ...deleted, ...notReady }), want: 'terminating' },
    { name: 'published although not ready', pod: pod('p', notReady), publish: true, want: 'ready' },
    {
      name: 'published although terminating',
      pod: pod('p', deleted),
      publish: true,
      want: 'ready serving terminating',
    },
  ]
  for (const row of conditions) {
    test(`conditions: ${row.name}`, () => {
      const object = service({ selector: { app: 'web' }, publishNotReadyAddresses: row.publish ?? false })
      const found = slices([row.pod], object)[0]?.endpoints[0]?.conditions ?? {}
      assert.equal(
        Object.entries(found)
          .flatMap(([name, value]) => (value ? [name] : []))
          .join(' '),
        row.want,
      )
    })
  }

  test('Pods that have ended or have no address are left out', () => {
    const pods = [
      pod('a', { status: { phase: 'Succeeded' } }),
      pod('b', { status: { phase: 'Failed' } }),
      pod('c', { status: { podIPs: [] } }),
    ]
    assert.deepEqual(slices(pods), [])
  })

  test('a name with another number in every Pod gives several slices', () => {
    const other = {
      spec: { containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 9090 }] }] },
      status: { podIPs: [{ ip: '10.1.0.2' }] },
    }
    const made = slices([pod('a'), pod('b', other), pod('c', { status: { podIPs: [{ ip: '10.1.0.3' }] } })])
    assert.deepEqual(
      made.map(({ ports }) => ports[0]?.port),
      [8080, 9090],
    )
    assert.deepEqual(addresses(made), [['10.1.0.1', '10.1.0.3'], ['10.1.0.2']])
    assert.equal(new Set(made.map(({ metadata }) => metadata.name)).size, 2)
  })

  test('a name is looked up with its protocol, in containers and sidecars, not in other init containers', () => {
    const udp = [{ name: 'http', containerPort: 1, protocol: 'UDP' }]
    const tcp = [{ name: 'http', containerPort: 2 }]
    const portOf = (spec: object) => slices([pod('p', { spec })])[0]?.ports[0]?.port
    assert.equal(
      portOf({
        containers: [
          { name: 'a', ports: udp },
          { name: 'b', ports: tcp },
        ],
      }),
      2,
    )
    assert.equal(portOf({ containers: [], initContainers: [{ name: 's', restartPolicy: 'Always', ports: tcp }] }), 2)
    assert.equal(portOf({ containers: [], initContainers: [{ name: 'i', ports: tcp }] }), undefined)
  })

  test('each family has its slices', () => {
    const dual = pod('p', { status: { podIPs: [{ ip: '10.1.0.1' }, { ip: 'fd00::1' }] } })
    const made = selectPods(web, ['IPv4', 'IPv6'], [dual], nodes)
    assert.deepEqual(
      made.map(({ addressType }) => addressType),
      ['IPv4', 'IPv6'],
    )
    assert.deepEqual(addresses(made), [['10.1.0.1'], ['fd00::1']])
  })

  test("a headless Service's slices are labelled, and carry hostnames of its subdomain", () => {
    const object = service({ clusterIP: 'None', selector: { app: 'web' } })
    const [made] = slices([pod('p', { spec: { hostname: 'p-0', subdomain: 'web' } })], object)
    assert.equal(made?.metadata.labels?.['service.kubernetes.io/headless'], '')
    assert.equal(made?.endpoints[0]?.hostname, 'p-0')
    const [other] = slices([pod('p', { spec: { hostname: 'p-0', subdomain: 'db' } })], object)
    assert.equal(other?.endpoints[0]?.hostname, undefined)
  })

  test('trafficDistribution becomes hints of the endpoint’s own place', () => {
    const hints = (trafficDistribution?: string) =>
      slices([pod('p')], service({ selector: { app: 'web' }, trafficDistribution }))[0]?.endpoints[0]?.hints
    assert.equal(hints(), undefined)
    assert.deepEqual(hints('PreferClose'), { forZones: [{ name: 'a' }] })
    assert.deepEqual(hints('PreferSameZone'), { forZones: [{ name: 'a' }] })
    assert.deepEqual(hints('PreferSameNode'), { forZones: [{ name: 'a' }], forNodes: [{ name: 'node-a' }] })
  })
})

describe('PodIndex', () => {
  test('selects by every label, in the namespace, by name; an empty selector selects none', () => {
    const index = new PodIndex([
      pod('b', { metadata: { labels: { app: 'web', tier: 'x' } } }),
      pod('a', { metadata: { labels: { app: 'web', tier: 'x', more: 'y' } } }),
      pod('c', { metadata: { labels: { app: 'web' } } }),
      pod('d', { metadata: { namespace: 'other', labels: { app: 'web', tier: 'x' } } }),
    ])
    const names = (selector: Record<string, string>) =>
      index.select('default', selector).map(({ metadata }) => metadata.name)
    assert.deepEqual(names({ app: 'web', tier: 'x' }), ['a', 'b'])
    assert.deepEqual(names({ app: 'web' }), ['a', 'b', 'c'])
    assert.deepEqual(names({ app: 'web', tier: 'z' }), [])
    assert.deepEqual(names({}), [])
  })
})

describe('mirrorEndpoints()', () => {
  const endpoints = (metadata: object = {}) =>
    normalizeEndpoints(
      new Fields({
        metadata: { name: 'web', labels: { team: 'x' }, ...metadata },
        subsets: [
          {
            addresses: [{ ip: '10.2.0.001', nodeName: 'node-b' }, { ip: 'fd00::2' }],
            notReadyAddresses: [{ ip: '10.2.0.3' }],
            ports: [{ name: 'http', port: 9000 }],
          },
        ],
      }),
    )

  test('gives a slice for each family', () => {
    const made = mirrorEndpoints(endpoints(), service())
    assert.deepEqual(
      made.map(({ addressType, endpoints, ports }) => ({ addressType, endpoints, ports })),
      [
        {
          addressType: 'IPv4',
          endpoints: [
            { addresses: ['10.2.0.1'], conditions: { ready: true }, nodeName: 'node-b' },
            { addresses: ['10.2.0.3'], conditions: { ready: false } },
          ],
          ports: [{ name: 'http', protocol: 'TCP', port: 9000 }],
        },
        {
          addressType: 'IPv6',
          endpoints: [{ addresses: ['fd00::2'], conditions: { ready: true } }],
          ports: [{ name: 'http', protocol: 'TCP', port: 9000 }],
        },
      ],
    )
    assert.equal(made[0]?.metadata.labels?.['kubernetes.io/service-name'], 'web')
    assert.equal(made[0]?.metadata.labels?.team, 'x')
  })

  test('leaves out what is not for it', () => {
    assert.deepEqual(mirrorEndpoints(endpoints(), undefined), [])
    assert.deepEqual(mirrorEndpoints(endpoints(), web), [])
    assert.deepEqual(
      mirrorEndpoints(endpoints({ labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }), service()),
      [],
    )
    assert.deepEqual(
      mirrorEndpoints(endpoints({ annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } }), service()),
      [],
    )
  })
})
