// SPDX-License-Identifier: Apache-2.0
/** The four kinds of address that a test Service has. */

import { nodeAddress } from '../../src/lab/address-plan.ts'
import type { ClientTarget } from '../../src/lab/client-protocol.ts'
import { clusterAddress, externalIp, loadBalancerIp, nodePort, servicePort } from './objects.ts'

export const frontendKinds = ['ClusterIP', 'NodePort', 'external IP', 'LoadBalancer IP'] as const
export type FrontendKind = (typeof frontendKinds)[number]

export const families = ['ipv4', 'ipv6'] as const
export type Family = (typeof families)[number]

export const protocols = ['tcp', 'udp'] as const

/** Where the nth test Service is reached; its NodePort on node-a. */
export function target(n: number, kind: FrontendKind, family: Family, proto: ClientTarget['proto']): ClientTarget {
  switch (kind) {
    case 'ClusterIP':
      return { proto, address: clusterAddress(n)[family], port: servicePort }
    case 'NodePort':
      return { proto, address: nodeAddress(0)[family], port: nodePort(n) }
    case 'external IP':
      return { proto, address: externalIp(n)[family], port: servicePort }
    case 'LoadBalancer IP':
      return { proto, address: loadBalancerIp(n)[family], port: servicePort }
  }
}
