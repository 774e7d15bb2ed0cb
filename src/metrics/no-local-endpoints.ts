// SPDX-License-Identifier: Apache-2.0
/** Counts Service ports whose Local policy leaves clients without a backend on this node. */

import { familyOf } from '../model/ip.ts'
import type { FrontendPlan, IpFamily, PortPlan, ServicePlan } from '../model/types.ts'
import type { TrafficPolicy } from './kube-proxy-metrics.ts'

type Counts = Record<TrafficPolicy, Record<IpFamily, number>>

export class NoLocalEndpoints {
  readonly #byService = new Map<string, Counts>()
  readonly #totals = emptyCounts()

  get totals(): Readonly<Counts> {
    return this.#totals
  }

  /** Takes plans over; a Service without a plan is gone. */
  update(plans: ReadonlyMap<string, ServicePlan>, changed: Iterable<string>): void {
    for (const service of changed) {
      const before = this.#byService.get(service)
      const plan = plans.get(service)
      const after = plan && countsOf(plan)
      if (before) add(this.#totals, before, -1)
      if (after) add(this.#totals, after, 1)
      if (after) this.#byService.set(service, after)
      else this.#byService.delete(service)
    }
  }
}

/** Undefined when there is nothing to count. Pure. */
function countsOf(plan: ServicePlan): Counts | undefined {
  const internal = plan.internalTrafficPolicy === 'Local'
  const external = plan.externalTrafficPolicy === 'Local'
  if (!internal && !external) return undefined
  const counts = emptyCounts()
  for (const port of plan.ports) {
    for (const family of ['IPv4', 'IPv6'] as const) {
      const some = (scope: 'internal' | 'external', wanted: (frontend: FrontendPlan) => boolean) =>
        hasDropped(port, family, scope, wanted)
      if (internal && some('internal', ({ kind }) => kind === 'clusterIP')) counts.internal[family]++
      if (external && some('external', ({ kind }) => kind !== 'clusterIP')) counts.external[family]++
    }
  }
  return counts
}

/** An empty set that drops: others have endpoints, this node has none. */
function hasDropped(
  port: PortPlan,
  family: IpFamily,
  scope: 'internal' | 'external',
  wanted: (frontend: FrontendPlan) => boolean,
): boolean {
  return port.frontends.some((frontend) => {
    const { backends, empty } = frontend[scope]
    return wanted(frontend) && familyOf(frontend.address) === family && backends.length === 0 && empty === 'drop'
  })
}

function emptyCounts(): Counts {
  return { internal: { IPv4: 0, IPv6: 0 }, external: { IPv4: 0, IPv6: 0 } }
}

function add(totals: Counts, counts: Counts, sign: 1 | -1): void {
  for (const policy of ['internal', 'external'] as const) {
    for (const family of ['IPv4', 'IPv6'] as const) totals[policy][family] += sign * counts[policy][family]
  }
}
