// SPDX-License-Identifier: Apache-2.0
/** Which addresses the tour calls, and how it tells of them. Needs no root. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type TourCall, type TourFrontend, tourFrontends } from '../../src/lab/tour.ts'
import { callLine, frontendTitle } from '../../src/lab/transcript.ts'
import type { ObjectSet, Service } from '../../src/model/types.ts'

const base: Service = {
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    type: 'ClusterIP',
    clusterIPs: ['10.96.0.10'],
    ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 0, targetPort: 8080 }],
    externalIPs: [],
    sessionAffinity: 'None',
    affinityTimeoutSeconds: 10800,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    healthCheckNodePort: 0,
    loadBalancerSourceRanges: [],
    publishNotReadyAddresses: false,
  },
  status: { loadBalancer: { ingress: [] } },
}

function called(spec: Partial<Service['spec']>, status: Service['status'] = base.status): string[] {
  const service: Service = { ...base, spec: { ...base.spec, ...spec }, status }
  const objects: ObjectSet = {
    services: new Map([['default/web', service]]),
    endpointSlices: new Map(),
    nodes: new Map(),
    serviceCIDRs: new Map(),
  }
  return tourFrontends(objects, 2).map(({ kind, address, port, proto }) => `${kind} ${address} ${port} ${proto}`)
}

test('tourFrontends() has every ClusterIP, and both protocols of a port', () => {
  const ports = (['TCP', 'UDP'] as const).map((protocol) => ({ ...base.spec.ports[0]!, protocol, port: 53 }))
  assert.deepEqual(called({ clusterIPs: ['10.96.0.10', 'fd00:10:96::a'], ports }), [
    'clusterIP 10.96.0.10 53 tcp',
    'clusterIP fd00:10:96::a 53 tcp',
    'clusterIP 10.96.0.10 53 udp',
    'clusterIP fd00:10:96::a 53 udp',
  ])
})

test('tourFrontends() has a NodePort on every node, in the families of the Service', () => {
  const ports = [{ ...base.spec.ports[0]!, nodePort: 30080 }]
  assert.deepEqual(called({ type: 'NodePort', ports }).slice(1), [
    'nodePort 172.18.0.11 30080 tcp',
    'nodePort 172.18.0.12 30080 tcp',
  ])
})

test('tourFrontends() has external and LoadBalancer IPs, but not those of a pending provider or a hostname', () => {
  const ingress = [{ ip: '203.0.113.2' }, { hostname: 'lb.example' }]
  assert.deepEqual(called({ externalIPs: ['203.0.113.1'] }, { loadBalancer: { ingress } }).slice(1), [
    'externalIP 203.0.113.1 80 tcp',
    'loadBalancerIP 203.0.113.2 80 tcp',
  ])
})

test('tourFrontends() has nothing of a headless Service', () => {
  assert.deepEqual(called({ clusterIPs: ['None'], externalIPs: ['203.0.113.1'] }), [])
})

const frontend: TourFrontend = {
  service: 'default/web',
  portName: 'http',
  kind: 'nodePort',
  proto: 'tcp',
  address: 'fd00:172:18::11',
  port: 30080,
}
const call: TourCall = {
  ...frontend,
  from: 'outside',
  clientAddress: '2001:db8:100::10',
  answer: undefined,
  error: 'ECONNREFUSED',
  ms: 1,
}

test('the transcript says who answered, and whether it saw the caller’s own address', () => {
  assert.equal(frontendTitle(frontend), '  NodePort [fd00:172:18::11]:30080 TCP port http\n')
  assert.equal(callLine(call), '    outside   ✗ ECONNREFUSED\n')
  const seen = (address: string): TourCall => ({
    ...call,
    error: undefined,
    answer: {
      pod: 'web-1',
      node: 'node-b',
      protocol: 'TCP',
      server: { address: 'fd00:10:244:2::a', port: 8080 },
      client: { address, port: 40000 },
      received: 0,
      local: { address: call.clientAddress, port: 40000 },
      peer: frontend,
      answerBytes: 100,
    },
  })
  assert.equal(callLine(seen(call.clientAddress)), '    outside   → web-1 on node-b, which saw 2001:db8:100::10\n')
  assert.equal(
    callLine(seen('fd00:172:18::12')),
    '    outside   → web-1 on node-b, which saw fd00:172:18::12, in place of 2001:db8:100::10\n',
  )
})
