// SPDX-License-Identifier: Apache-2.0
/** Raw objects as an API server sends them, with what nobody reads too. */
import type { RawObject } from './fake-api-server.ts'

export function rawService(name: string, clusterIP = '10.96.0.10'): RawObject {
  return {
    metadata: {
      name,
      namespace: 'default',
      creationTimestamp: '2026-01-01T00:00:00Z',
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': 'x'.repeat(100) },
      managedFields: [{ manager: 'kubectl', fieldsV1: { 'f:spec': {} } }],
    },
    spec: { type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80, protocol: 'TCP' }] },
    status: { loadBalancer: {} },
  }
}

export function rawSlice(service: string, addresses: readonly string[], suffix = 'abcde'): RawObject {
  return {
    metadata: {
      name: `${service}-${suffix}`,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': service },
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z' },
    },
    addressType: 'IPv4',
    endpoints: addresses.map((address, index) => ({
      addresses: [address],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: 'node-a',
      targetRef: { kind: 'Pod', name: `${service}-${index}`, namespace: 'default' },
    })),
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
  }
}

export function rawNode(name: string): RawObject {
  return {
    metadata: { name, labels: { 'topology.kubernetes.io/zone': 'zone-1' } },
    spec: { podCIDRs: ['10.244.1.0/24'] },
    status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
  }
}

export function rawServiceCIDR(name: string, cidrs: readonly string[]): RawObject {
  return { metadata: { name }, spec: { cidrs } }
}
