// SPDX-License-Identifier: Apache-2.0
/** Plans for tests, written as short as a test can say them. */

import type { BackendSetPlan, FrontendPlan, PortPlan, ServicePlan } from '../../src/model/types.ts'

/** `10.0.0.1:80`, with a trailing `*` for a backend on this node. */
export function setPlan(...backends: readonly string[]): BackendSetPlan {
  return {
    backends: backends.map((text) => {
      const [, address, port, local] = /^(.*):(\d+)(\*?)$/.exec(text) as unknown as [string, string, string, string]
      return { address, port: Number(port), local: local === '*' }
    }),
    empty: 'reject',
  }
}

export function frontendPlan(
  address: string,
  port: number,
  internal: BackendSetPlan,
  more: Partial<FrontendPlan> = {},
): FrontendPlan {
  const external = internal
  return { address, port, kind: 'clusterIP', internal, external, loopback: false, sourceRanges: undefined, ...more }
}

export function portPlan(portName: string, frontends: readonly FrontendPlan[], more: Partial<PortPlan> = {}): PortPlan {
  return { portName, protocol: 'TCP', port: frontends[0]?.port ?? 80, frontends, ...more }
}

export function servicePlan(name: string, ports: readonly PortPlan[], more: Partial<ServicePlan> = {}): ServicePlan {
  const clusterIPs = ports.flatMap((port) => port.frontends.filter((f) => f.kind === 'clusterIP').map((f) => f.address))
  return {
    namespace: 'default',
    name,
    creationTimestamp: '2026-01-01T00:00:00Z',
    uid: name,
    ports,
    clusterIPs: [...new Set(clusterIPs)],
    externalAddresses: [],
    affinitySeconds: 0,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    healthCheckNodePort: 0,
    localReadyEndpoints: 0,
    ...more,
  }
}

/** A Service with one port and one ClusterIP. */
export function simplePlan(name: string, address: string, ...backends: readonly string[]): ServicePlan {
  return servicePlan(name, [portPlan('', [frontendPlan(address, 80, setPlan(...backends))])])
}

export function plansOf(...plans: readonly ServicePlan[]): Map<string, ServicePlan> {
  return new Map(plans.map((plan) => [`${plan.namespace}/${plan.name}`, plan]))
}
