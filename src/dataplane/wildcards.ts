// SPDX-License-Identifier: Apache-2.0
/** Which Service an address as a whole belongs to: unknown ports and pings are answered in its name. */

import type { ServicePlan } from '../model/types.ts'

export interface WildcardClaim {
  /** `namespace/name`. */
  readonly service: string
  readonly kind: 'clusterIP' | 'externalIP'
  readonly creationTimestamp: string
}

/** A ClusterIP goes before the others, as its unknown ports are refused; then the older Service, then the name. */
function precedes(a: WildcardClaim, b: WildcardClaim): boolean {
  if (a.kind !== b.kind) return a.kind === 'clusterIP'
  if (a.creationTimestamp !== b.creationTimestamp) return a.creationTimestamp < b.creationTimestamp
  return a.service < b.service
}

/** Claims on addresses, by address. */
export class Wildcards {
  readonly #claims = new Map<string, WildcardClaim[]>()

  add(plan: ServicePlan, includeExternal: boolean): readonly string[] {
    const { creationTimestamp } = plan
    const service = `${plan.namespace}/${plan.name}`
    const touched: string[] = []
    if (plan.ports.length === 0) return touched
    const claim = (address: string, kind: WildcardClaim['kind']) => {
      const claims = this.#claims.get(address)
      if (claims === undefined) this.#claims.set(address, [{ service, kind, creationTimestamp }])
      else claims.push({ service, kind, creationTimestamp })
      touched.push(address)
    }
    for (const address of plan.clusterIPs) claim(address, 'clusterIP')
    if (includeExternal) for (const address of plan.externalAddresses) claim(address, 'externalIP')
    return touched
  }

  remove(plan: ServicePlan): readonly string[] {
    const service = `${plan.namespace}/${plan.name}`
    const touched: string[] = []
    for (const address of [...plan.clusterIPs, ...plan.externalAddresses]) {
      const claims = this.#claims.get(address)?.filter((claim) => claim.service !== service)
      if (claims === undefined) continue
      if (claims.length === 0) this.#claims.delete(address)
      else this.#claims.set(address, claims)
      touched.push(address)
    }
    return touched
  }

  /** The claim that counts, or undefined when nobody claims the address. */
  winner(address: string): WildcardClaim | undefined {
    return this.#claims.get(address)?.reduce((best, claim) => (precedes(claim, best) ? claim : best))
  }
}
