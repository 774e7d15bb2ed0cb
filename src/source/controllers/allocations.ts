// SPDX-License-Identifier: Apache-2.0
/** What has been given to Services: kept so that a new Service never takes an older one's number. */
import type { Service, ServicePort } from '../../model/types.ts'

/** Plain data, for a state file. */
export interface Allocation {
  readonly clusterIPs: readonly string[]
  /** By {@link nodePortKey}. */
  readonly nodePorts: Readonly<Record<string, number>>
  /** 0: none. */
  readonly healthCheckNodePort: number
}

/** By `namespace/name`. */
export type Allocations = Readonly<Record<string, Allocation>>

export const NO_ALLOCATION: Allocation = { clusterIPs: [], nodePorts: {}, healthCheckNodePort: 0 }

export function nodePortKey({ protocol, port }: ServicePort): string {
  return `${protocol} ${port}`
}

/** What each of these Services has, be it given or asked for. */
export function allocationsOf(services: ReadonlyMap<string, Service>): Allocations {
  return Object.fromEntries(
    Array.from(services, ([key, { spec }]): [string, Allocation] => {
      const ports = spec.ports.filter((port) => port.nodePort > 0)
      const nodePorts = Object.fromEntries(ports.map((port) => [nodePortKey(port), port.nodePort]))
      const clusterIPs = spec.clusterIPs.filter((address) => address !== 'None')
      return [key, { clusterIPs, nodePorts, healthCheckNodePort: spec.healthCheckNodePort }]
    }),
  )
}
