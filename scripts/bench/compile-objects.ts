// SPDX-License-Identifier: Apache-2.0
/** A cluster of many equal Services, as objects. */

import type { EndpointSlice, ObjectSet, Service } from '../../src/model/types.ts'

const octets = (n: number) => `${(n >>> 16) & 0xff}.${(n >>> 8) & 0xff}.${n & 0xff}`

function service(index: number): Service {
  return {
    metadata: { name: `svc-${index}`, namespace: 'bench', uid: `${index}`, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      type: 'ClusterIP',
      clusterIPs: [`172.${octets(index + 1)}`],
      ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 0, targetPort: 8080 }],
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
  }
}

/** The slice of a Service; `shift` moves its last endpoint to another address. */
export function slice(index: number, endpoints: number, shift = 0): EndpointSlice {
  const address = (i: number) => `10.${octets(index * endpoints + i + (i === endpoints - 1 ? shift * 1_000_003 : 0))}`
  return {
    metadata: {
      name: `svc-${index}-0`,
      namespace: 'bench',
      labels: { 'kubernetes.io/service-name': `svc-${index}` },
    },
    addressType: 'IPv4',
    endpoints: Array.from({ length: endpoints }, (_, i) => ({
      addresses: [address(i)],
      conditions: { ready: true },
      nodeName: `node-${i % 5}`,
    })),
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
  }
}

export function objectSet(services: number, endpoints: number): ObjectSet {
  const indices = Array.from({ length: services }, (_, i) => i)
  return {
    services: new Map(indices.map((i) => [`bench/svc-${i}`, service(i)])),
    endpointSlices: new Map(indices.map((i) => [`bench/svc-${i}-0`, slice(i, endpoints)])),
    nodes: new Map(),
    serviceCIDRs: new Map(),
  }
}
