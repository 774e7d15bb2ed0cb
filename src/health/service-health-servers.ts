// SPDX-License-Identifier: Apache-2.0
/** Keeps a server on the healthCheckNodePort of every Service that has one. */

import type { ServicePlan } from '../model/types.ts'
import { EndpointServer, type EndpointServerError } from './endpoint-server.ts'
import { healthCheckPorts, ServiceHealth } from './service-health.ts'

export interface ServiceHealthServersOptions {
  /** Whether no update is overdue. The Node's own state does not count here: load balancers ask /healthz for that. */
  readonly isHealthy: () => boolean
  readonly onError: (error: EndpointServerError) => void
}

export class ServiceHealthServers {
  readonly #options: ServiceHealthServersOptions
  readonly #health = new ServiceHealth()
  readonly #servers = new Map<string, EndpointServer>()
  /** Ports that plans ask for, by Service. */
  readonly #wanted = new Map<string, number>()

  constructor(options: ServiceHealthServersOptions) {
    this.#options = options
  }

  /** Opens and closes ports as the changed plans ask; every address answers, whatever nodePortAddresses say. */
  setPlans(plans: ReadonlyMap<string, ServicePlan>, changed: Iterable<string>): void {
    let moved = false
    for (const service of changed) {
      const port = plans.get(service)?.healthCheckNodePort ?? 0
      if (port === (this.#wanted.get(service) ?? 0)) continue
      moved = true
      if (port > 0) this.#wanted.set(service, port)
      else this.#wanted.delete(service)
    }
    if (moved) this.#setPorts(healthCheckPorts(this.#wanted))
  }

  #setPorts(ports: ReadonlyMap<string, number>): void {
    const { close, open } = this.#health.setPorts(ports)
    for (const { service } of close) {
      this.#servers.get(service)?.close()
      this.#servers.delete(service)
    }
    for (const { service, port } of open) {
      this.#servers.set(
        service,
        new EndpointServer({
          name: `the healthCheckNodePort of Service ${service}`,
          address: { host: undefined, port },
          answer: () => this.#health.answer(service, this.#options.isHealthy()),
          onError: this.#options.onError,
        }),
      )
    }
  }

  /** What the plans say of endpoints stands in the maps: only now may load balancers send clients here. */
  setProgrammed(plans: ReadonlyMap<string, ServicePlan>): void {
    for (const service of this.#health.ports.keys()) {
      this.#health.setEndpoints(service, plans.get(service)?.localReadyEndpoints ?? 0)
    }
  }

  /** Services whose port is bound, with the port. */
  get listening(): ReadonlyMap<string, number> {
    const bound = [...this.#servers].flatMap(([service, server]): [string, number][] =>
      server.listening ? [[service, server.listening.port]] : [],
    )
    return new Map(bound)
  }

  close(): void {
    for (const server of this.#servers.values()) server.close()
    this.#servers.clear()
  }
}
