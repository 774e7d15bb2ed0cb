// SPDX-License-Identifier: Apache-2.0
/** healthCheckNodePort: for each Service a port that says how many ready endpoints are on this node. */

import { type Answer, jsonAnswer } from './answer.ts'

/** `namespace/name` → what its port answers with. */
export type HealthCheckPorts = ReadonlyMap<string, { readonly port: number; readonly localEndpoints: number }>

export interface PortChange {
  readonly service: string
  readonly port: number
}

/** One Service a port: where two ask for one, the first in the order of their names has it. */
export function healthCheckPorts(wanted: ReadonlyMap<string, number>): Map<string, number> {
  const byPort = new Map<number, string>()
  for (const [service, port] of wanted) {
    const holder = byPort.get(port)
    if (holder === undefined || service < holder) byPort.set(port, service)
  }
  return new Map([...byPort].map(([port, service]) => [service, port]))
}

/** Pure state: which ports are open, and what they answer. */
export class ServiceHealth {
  readonly #services = new Map<string, { readonly port: number; localEndpoints: number }>()

  get ports(): HealthCheckPorts {
    return this.#services
  }

  /**
   * Takes over which Service has which port. A port that is new, or another than before, starts with no endpoint.
   *
   * @returns the ports to close, which must be done first, and those to open.
   */
  setPorts(ports: ReadonlyMap<string, number>): { readonly close: PortChange[]; readonly open: PortChange[] } {
    const close: PortChange[] = []
    const open: PortChange[] = []
    for (const [service, { port }] of this.#services) {
      if (ports.get(service) === port) continue
      this.#services.delete(service)
      close.push({ service, port })
    }
    for (const [service, port] of ports) {
      if (this.#services.has(service)) continue
      this.#services.set(service, { port, localEndpoints: 0 })
      open.push({ service, port })
    }
    return { close, open }
  }

  /** Takes over what the maps hold. A Service without a port is passed over. */
  setEndpoints(service: string, localEndpoints: number): void {
    const entry = this.#services.get(service)
    if (entry) entry.localEndpoints = localEndpoints
  }

  /** As kube-proxy answers, whatever the path. Undefined: the Service has no port any more. */
  answer(service: string, serviceProxyHealthy: boolean): Answer | undefined {
    const entry = this.#services.get(service)
    if (entry === undefined) return undefined
    const { localEndpoints } = entry
    const [namespace = '', name = ''] = service.split('/')
    const status = localEndpoints > 0 && serviceProxyHealthy ? 200 : 503
    const body = { service: { namespace, name }, localEndpoints, serviceProxyHealthy }
    return jsonAnswer(status, body, { 'X-Load-Balancing-Endpoint-Weight': String(localEndpoints) })
  }
}
