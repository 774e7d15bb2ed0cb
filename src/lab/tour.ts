// SPDX-License-Identifier: Apache-2.0
/** The guided tour of `npm start`: every address of every Service is called from a pod, a node and outside. */

import type { ObjectSet, Service } from '../model/types.ts'
import { nodeAddress } from './address-plan.ts'
import { ClientError } from './client-process.ts'
import type { ClientAnswer, ClientTarget } from './client-protocol.ts'
import type { Lab, Where } from './lab.ts'
import { until } from './until.ts'

/** One address and port of a Service. */
export interface TourFrontend {
  /** `namespace/name`. */
  readonly service: string
  /** '' for a single port without a name. */
  readonly portName: string
  readonly kind: 'clusterIP' | 'nodePort' | 'externalIP' | 'loadBalancerIP'
  readonly proto: 'tcp' | 'udp'
  readonly address: string
  readonly port: number
}

/** Who called what, who answered, which client address it saw. */
export interface TourCall extends TourFrontend {
  readonly from: Where
  /** The caller's own address. */
  readonly clientAddress: string
  readonly answer: ClientAnswer | undefined
  /** The system's error code where there is no answer. */
  readonly error: string | undefined
  readonly ms: number
}

/** Where the tour calls from. */
export const tourCallers: readonly Where[] = ['client-a', 'node-a', 'outside']

/** Every frontend that the Services of a lab have, in the order of their names. */
export function tourFrontends(objects: ObjectSet, nodeCount: number): TourFrontend[] {
  // The cluster's own Services are no examples: what the tour sends is neither DNS nor for the API.
  const shown = [...objects.services].filter(
    ([key, { metadata }]) => metadata.namespace !== 'kube-system' && key !== 'default/kubernetes',
  )
  const services = shown.sort(([a], [b]) => (a < b ? -1 : 1))
  return services.flatMap(([key, service]) => serviceFrontends(key, service, nodeCount))
}

function serviceFrontends(key: string, service: Service, nodeCount: number): TourFrontend[] {
  const { spec, status } = service
  const clusterIPs = spec.clusterIPs.filter((address) => address !== 'None')
  if (clusterIPs.length === 0) return []
  const families = new Set(clusterIPs.map(familyOf))
  const nodeAddresses = Array.from({ length: nodeCount }, (_, index) => Object.values(nodeAddress(index)) as string[])
    .flat()
    .filter((address) => families.has(familyOf(address)))
  const ingress = status.loadBalancer.ingress.flatMap(({ ip }) => (ip === undefined ? [] : [ip]))
  return spec.ports.flatMap((port) => {
    const proto = port.protocol === 'UDP' ? 'udp' : 'tcp'
    const frontend = (kind: TourFrontend['kind'], number: number) => (address: string) => {
      return { service: key, portName: port.name, kind, proto, address, port: number } as const
    }
    return [
      ...clusterIPs.map(frontend('clusterIP', port.port)),
      ...(port.nodePort > 0 ? nodeAddresses.map(frontend('nodePort', port.nodePort)) : []),
      ...spec.externalIPs.map(frontend('externalIP', port.port)),
      ...ingress.map(frontend('loadBalancerIP', port.port)),
    ]
  })
}

function familyOf(address: string): 'IPv4' | 'IPv6' {
  return address.includes(':') ? 'IPv6' : 'IPv4'
}

/** Waits until each frontend answers a first time: the agents may still be reading. Unanswered ones are left to the tour. */
export async function frontendsAnswer(lab: Lab, frontends: readonly TourFrontend[]): Promise<void> {
  const last = frontends.at(-1)
  if (last === undefined) return
  await Promise.all(
    frontends.map((frontend) =>
      until('the frontend answers', async () => (await call(lab, tourCallers[0]!, frontend)).answer, 5_000).catch(
        () => {},
      ),
    ),
  )
}

/** Calls a frontend once, over a connection of its own. */
export async function call(lab: Lab, from: Where, frontend: TourFrontend): Promise<TourCall> {
  const { proto, address, port } = frontend
  const target: ClientTarget = { proto, address, port, timeoutMs: 2_000 }
  const start = performance.now()
  try {
    const answer = await lab.request(from, target, { timeoutMs: 2_000 })
    return { ...frontend, from, clientAddress: answer.local.address, answer, error: undefined, ms: since(start) }
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    return { ...frontend, from, clientAddress: '', answer: undefined, error: error.code, ms: since(start) }
  }
}

function since(start: number): number {
  return Math.round((performance.now() - start) * 100) / 100
}
