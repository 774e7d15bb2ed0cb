// SPDX-License-Identifier: Apache-2.0
/** Raw objects: what is defaulted, what is trimmed, and how a fault is told. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { normalize } from '../../src/model/normalize.ts'

const metadata = { name: 'web' }
const ports = [{ port: 80 }]

describe('normalize()', () => {
  test('defaults what an API server would', () => {
    const { object } = normalize('Service', { metadata, spec: { ports } }, 'a.yaml')
    assert.deepEqual(object, {
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        type: 'ClusterIP',
        clusterIPs: [],
        ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 0, targetPort: 80 }],
        externalIPs: [],
        sessionAffinity: 'None',
        affinityTimeoutSeconds: 10_800,
        externalTrafficPolicy: 'Cluster',
        internalTrafficPolicy: 'Cluster',
        healthCheckNodePort: 0,
        loadBalancerSourceRanges: [],
        publishNotReadyAddresses: false,
      },
      status: { loadBalancer: { ingress: [] } },
    })
  })

  test('null is absent', () => {
    const spec = {
      ports: [{ port: 80, protocol: null, targetPort: null }],
      selector: null,
      externalIPs: null,
      type: null,
    }
    const { object } = normalize('Service', { metadata: { ...metadata, labels: null }, spec, status: null }, 'a.yaml')
    assert.deepEqual(object, normalize('Service', { metadata, spec: { ports } }, 'a.yaml').object)
  })

  test('clusterIP and clusterIPs say the same', () => {
    const read = (spec: object) =>
      normalize('Service', { metadata, spec: { ports, ...spec } }, 'a.yaml').object?.spec.clusterIPs
    assert.deepEqual(read({ clusterIP: '10.96.0.1' }), ['10.96.0.1'])
    assert.deepEqual(read({ clusterIPs: ['10.96.0.1', 'FD00::0:1'] }), ['10.96.0.1', 'fd00::1'])
    assert.deepEqual(read({ clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'] }), ['10.96.0.1'])
    assert.deepEqual(read({ clusterIP: 'None' }), ['None'])
  })

  const faults: readonly { name: string; raw: unknown; object?: string; field: string; message: RegExp }[] = [
    { name: 'no object', raw: 'text', object: 'Service', field: '', message: /Expected an object, got 'text'/ },
    {
      name: 'no name',
      raw: { metadata: {}, spec: { ports } },
      object: 'Service',
      field: 'metadata.name',
      message: /missing/,
    },
    {
      name: 'a name that is no DNS label',
      raw: { metadata: { name: 'Web_1' }, spec: { ports } },
      object: 'Service default/Web_1',
      field: 'metadata.name',
      message: /RFC 1123/,
    },
    { name: 'no ports', raw: { metadata, spec: {} }, field: 'spec.ports', message: /missing/ },
    {
      name: 'a port that is text',
      raw: { metadata, spec: { ports: [{ port: '80' }] } },
      field: 'spec.ports[0].port',
      message: /integer from 1 to 65535, got '80'/,
    },
    {
      name: 'a port out of range',
      raw: { metadata, spec: { ports: [{ port: 65_536 }] } },
      field: 'spec.ports[0].port',
      message: /got 65536/,
    },
    {
      name: 'an unknown protocol',
      raw: { metadata, spec: { ports: [{ port: 80, protocol: 'tcp' }] } },
      field: 'spec.ports[0].protocol',
      message: /TCP, UDP, SCTP/,
    },
    {
      name: 'two ports without names',
      raw: { metadata, spec: { ports: [{ port: 80, name: 'a' }, { port: 81 }] } },
      field: 'spec.ports[1].name',
      message: /several ports/,
    },
    {
      name: 'two ports of one name',
      raw: {
        metadata,
        spec: {
          ports: [
            { port: 80, name: 'a' },
            { port: 81, name: 'a' },
          ],
        },
      },
      field: 'spec.ports[1].name',
      message: /Duplicate value: 'a'/,
    },
    {
      name: 'one number twice',
      raw: {
        metadata,
        spec: {
          ports: [
            { port: 80, name: 'a' },
            { port: 80, name: 'b' },
          ],
        },
      },
      field: 'spec.ports[1].port',
      message: /Duplicate value: TCP 80/,
    },
    {
      name: 'a target port that is neither number nor name',
      raw: { metadata, spec: { ports: [{ port: 80, targetPort: '8080' }] } },
      field: 'spec.ports[0].targetPort',
      message: /a port's name, got '8080'/,
    },
    {
      name: 'a ClusterIP that is no address',
      raw: { metadata, spec: { ports, clusterIP: '10.96.0.256' } },
      field: 'spec.clusterIP',
      message: /got '10.96.0.256'/,
    },
    {
      name: 'two ClusterIPs of one family',
      raw: { metadata, spec: { ports, clusterIPs: ['10.96.0.1', '10.96.0.2'] } },
      field: 'spec.clusterIPs',
      message: /one address of each family/,
    },
    {
      name: 'clusterIP and clusterIPs differ',
      raw: { metadata, spec: { ports, clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.2'] } },
      field: 'spec.clusterIPs[0]',
      message: /same as clusterIP/,
    },
    {
      name: 'an external IP that is none',
      raw: { metadata, spec: { ports, externalIPs: ['203.0.113.1', 'example'] } },
      field: 'spec.externalIPs[1]',
      message: /got 'example'/,
    },
    {
      name: 'a source range that is none',
      raw: { metadata, spec: { ports, loadBalancerSourceRanges: ['10.0.0.0/33'] } },
      field: 'spec.loadBalancerSourceRanges[0]',
      message: /Expected a CIDR/,
    },
    {
      name: 'an affinity longer than a day',
      raw: { metadata, spec: { ports, sessionAffinityConfig: { clientIP: { timeoutSeconds: 86_401 } } } },
      field: 'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
      message: /from 1 to 86400/,
    },
    {
      name: 'a selector that is no text',
      raw: { metadata, spec: { ports, selector: { app: 1 } } },
      field: 'spec.selector.app',
      message: /Expected a string, got 1/,
    },
    {
      name: 'a list that is none',
      raw: { metadata, spec: { ports: { port: 80 } } },
      field: 'spec.ports',
      message: /Expected a list, got an object/,
    },
  ]
  for (const { name, raw, object = 'Service default/web', field, message } of faults) {
    test(`tells source, object and field: ${name}`, () => {
      const { error } = normalize('Service', raw, 'a.yaml')
      assert(error)
      assert.deepEqual(
        { source: error.source, object: error.object, field: error.field },
        { source: 'a.yaml', object, field },
      )
      assert.match(error.message, message)
    })
  }

  test('a slice holds addresses of its family only', () => {
    const raw = {
      metadata: { name: 'web-1', namespace: 'x' },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['fd00::1'] }],
    }
    const { error } = normalize('EndpointSlice', raw, 'kubernetes')
    assert.deepEqual([error?.object, error?.field], ['EndpointSlice x/web-1', 'endpoints[0].addresses[0]'])
  })

  test("a Node's names are kept, its addresses are read", () => {
    const addresses = [
      { type: 'InternalIP', address: '192.168.000.001' },
      { type: 'Hostname', address: 'node-a' },
    ]
    const { object } = normalize(
      'Node',
      { metadata: { name: 'node-a' }, spec: { podCIDR: '10.1.0.0/24' }, status: { addresses } },
      '',
    )
    assert.deepEqual(object?.status.addresses, [
      { type: 'InternalIP', address: '192.168.0.1' },
      { type: 'Hostname', address: 'node-a' },
    ])
    assert.deepEqual(object?.spec.podCIDRs, ['10.1.0.0/24'])
    assert.equal(object?.metadata.namespace, '')
  })
})
