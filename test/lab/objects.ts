// SPDX-License-Identifier: Apache-2.0
/** Manifests as the lab tests need them: short to write, with fixed addresses so that a failure can be read. */

import { type AddressPair, externalAddress } from '../../src/lab/address-plan.ts'
import type { ManifestObject } from '../../src/lab/manifest.ts'
import type { PodPort } from '../../src/lab/pod.ts'

/** The ports of every test pod: HTTP and UDP. */
export const podPorts: readonly PodPort[] = [
  { name: 'http', protocol: 'TCP', port: 8080 },
  { name: 'datagram', protocol: 'UDP', port: 8080 },
]

/** The ClusterIPs of the nth (from 1) Service of a test. */
export function clusterAddress(n: number): AddressPair {
  return { ipv4: `10.96.1.${n}`, ipv6: `fd00:10:96::10${n}` }
}

/** The NodePort of the nth Service, of both protocols. */
export function nodePort(n: number): number {
  return 31000 + n
}

export const servicePort = 80

/** External addresses of the nth Service, which the fabric routes to node-a. */
export function externalIp(n: number): AddressPair {
  return externalAddress(0, 2 * n)
}

/** LoadBalancer addresses of the nth Service, which the fabric routes to node-a. */
export function loadBalancerIp(n: number): AddressPair {
  return externalAddress(0, 2 * n + 1)
}

/**
 * A dual-stack Service of type LoadBalancer with every kind of address, TCP and UDP on port 80, for the pods with the
 * label `app: name`.
 */
export function service(name: string, n: number, spec: Readonly<Record<string, unknown>> = {}): ManifestObject {
  const port = { port: servicePort, nodePort: nodePort(n) }
  const cluster = clusterAddress(n)
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: {
      type: 'LoadBalancer',
      selector: { app: name },
      clusterIP: cluster.ipv4,
      clusterIPs: [cluster.ipv4, cluster.ipv6],
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'RequireDualStack',
      externalIPs: Object.values(externalIp(n)),
      ports: [
        { name: 'http', protocol: 'TCP', targetPort: 'http', ...port },
        { name: 'datagram', protocol: 'UDP', targetPort: 'datagram', ...port },
      ],
      ...spec,
    },
    status: { loadBalancer: { ingress: Object.values(loadBalancerIp(n)).map((ip: string) => ({ ip })) } },
  }
}

/** A Deployment whose pods the Service of the same name selects. */
export function deployment(name: string, replicas: number): ManifestObject {
  const ports = podPorts.map(({ name: portName, protocol, port }) => ({
    name: portName,
    protocol,
    containerPort: port,
  }))
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'demo', image: 'maglane/demo', ports }] },
      },
    },
  }
}
