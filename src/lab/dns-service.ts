// SPDX-License-Identifier: Apache-2.0
/** The lab's DNS: `maglane dns` in a pod, behind the Service that a cluster's DNS has. */

import { dnsAddress } from './address-plan.ts'
import type { ManifestObject } from './manifest.ts'
import type { PodSpec } from './pod.ts'
import { program } from './program.ts'

const labels = { 'k8s-app': 'kube-dns' }

const ports = [
  { name: 'dns', protocol: 'UDP', port: 53 },
  { name: 'dns-tcp', protocol: 'TCP', port: 53 },
] as const

export const dnsService: ManifestObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'kube-dns', namespace: 'kube-system', labels },
  spec: {
    selector: labels,
    clusterIP: dnsAddress.ipv4,
    clusterIPs: Object.values(dnsAddress),
    ipFamilyPolicy: 'RequireDualStack',
    ports: ports.map((port) => ({ ...port, targetPort: port.name })),
  },
}

/**
 * @param manifests The folder that it follows, as the agents do.
 * @param upstreams Addresses of servers that know other names.
 */
export function dnsPod(manifests: string, node: string, upstreams: readonly string[] = []): PodSpec {
  const others = upstreams.flatMap((address) => ['--upstream', address])
  const command = [...program('cli/main'), 'dns', '--manifests', manifests, ...others]
  return { name: 'kube-dns-1', namespace: 'kube-system', node, labels, ports, command }
}
