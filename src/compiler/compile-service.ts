// SPDX-License-Identifier: Apache-2.0
/** From a Service's plan to its compiled form: equal sets shared, each endpoint named once. */

import type { BackendSetPlan, FrontendPlan, PortPlan, ServicePlan } from '../model/types.ts'
import { affinityId } from './affinity-id.ts'
import type {
  CompiledBackend,
  CompiledFrontend,
  CompiledPort,
  CompiledService,
  CompiledSet,
} from './compiled-service.ts'
import { ipProtocol } from './ip-protocol.ts'
import { tableLength } from './maglev.ts'

function keyOf(protocol: number, port: number, address: string): string {
  return `${protocol} ${port} ${address}`
}

/** Gathers the distinct backends and sets of one Service. */
class SetTable {
  readonly backends: CompiledBackend[] = []
  readonly sets: CompiledSet[] = []
  readonly #backendIndex = new Map<string, number>()
  readonly #byPlan = new Map<BackendSetPlan, Map<number, number>>()
  readonly #byContent = new Map<string, number>()

  /** Index of the set; plans are compared by identity first, as the model shares them. */
  add(plan: BackendSetPlan, protocol: number): number {
    let byProtocol = this.#byPlan.get(plan)
    if (byProtocol === undefined) {
      byProtocol = new Map()
      this.#byPlan.set(plan, byProtocol)
    }
    let index = byProtocol.get(protocol)
    if (index === undefined) {
      index = this.#addContent(plan, protocol)
      byProtocol.set(protocol, index)
    }
    return index
  }

  #addContent(plan: BackendSetPlan, protocol: number): number {
    const first = this.backends.length === 0
    if (!first) this.#indexFirst()
    const backends = first
      ? this.#addFirst(plan, protocol)
      : plan.backends.map(({ address, port, local }) => this.#addBackend(address, port, local, protocol))
    const content = backends.length === 0 ? plan.empty : backends.join()
    const known = this.#byContent.get(content)
    if (known !== undefined) return known
    const index = this.sets.push({ backends, length: tableLength(backends.length), empty: plan.empty }) - 1
    this.#byContent.set(content, index)
    return index
  }

  #addBackend(address: string, port: number, local: boolean, protocol: number): number {
    const known = this.#backendIndex.get(keyOf(protocol, port, address))
    if (known !== undefined) {
      // The slices of one port may know where an endpoint is when those of another do not.
      const backend = this.backends[known] as CompiledBackend
      if (local && !backend.local) this.backends[known] = { ...backend, local }
      return known
    }
    const index = this.backends.push({ protocol, address, port, local }) - 1
    this.#backendIndex.set(keyOf(protocol, port, address), index)
    return index
  }

  /** A plan holds no endpoint twice, so the first set needs no look-up; most Services have no other. */
  #addFirst(plan: BackendSetPlan, protocol: number): number[] {
    return plan.backends.map(({ address, port, local }) => this.backends.push({ protocol, address, port, local }) - 1)
  }

  #indexFirst(): void {
    if (this.#backendIndex.size > 0) return
    this.backends.forEach(({ protocol, port, address }, index) => {
      this.#backendIndex.set(keyOf(protocol, port, address), index)
    })
  }
}

function compilePort(port: PortPlan): CompiledPort {
  const guarded = port.frontends.filter((frontend) => frontend.sourceRanges !== undefined)
  const ranges = guarded.flatMap((frontend) => frontend.sourceRanges ?? [])
  return {
    name: port.portName,
    protocol: ipProtocol[port.protocol],
    port: port.port,
    sourceRanges: guarded.length === 0 ? undefined : [...new Set(ranges)].sort(),
  }
}

function compileFrontend(plan: FrontendPlan, protocol: number, servicePort: number, sets: SetTable): CompiledFrontend {
  return {
    address: plan.address,
    port: plan.port,
    protocol,
    kind: plan.kind,
    servicePort,
    internal: sets.add(plan.internal, protocol),
    external: sets.add(plan.external, protocol),
    // The model shares one set where one policy holds.
    scoped: plan.internal !== plan.external,
    loopback: plan.loopback,
    sourceRanges: plan.sourceRanges !== undefined,
  }
}

/** Compiles one Service; pure. */
export function compileService(plan: ServicePlan): CompiledService {
  const sets = new SetTable()
  const frontends = plan.ports.flatMap((port, index) =>
    port.frontends.map((frontend) => compileFrontend(frontend, ipProtocol[port.protocol], index, sets)),
  )
  return {
    key: `${plan.namespace}/${plan.name}`,
    plan,
    affinityId: affinityId(plan.namespace, plan.name),
    affinitySeconds: plan.affinitySeconds,
    ports: plan.ports.map(compilePort),
    backends: sets.backends,
    sets: sets.sets,
    frontends,
  }
}
