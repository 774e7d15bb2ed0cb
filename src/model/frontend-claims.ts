// SPDX-License-Identifier: Apache-2.0
/**
 * Which Service has a frontend that several claim. The older keeps it, then the first by name; when it goes, the next
 * takes over. An index that is kept, so that one Service's change costs its own claims.
 */
import type { FrontendPlan, PortPlan, ServicePlan } from './types.ts'

/** A frontend that a Service wants and another has. */
export interface LostFrontend {
  readonly frontend: FrontendPlan
  readonly port: PortPlan
  /** `namespace/name` of the Service that has it. */
  readonly winner: string
}

export class FrontendClaims {
  /** Keys with one claimant hold its plan; the few contested ones hold them all, the winner first. */
  readonly #claims = new Map<string, ServicePlan | ServicePlan[]>()
  #contested = 0

  /**
   * Replaces a Service's claims, either of which may be undefined.
   *
   * @returns `namespace/name` of every other Service that may have won or lost a frontend by that.
   */
  replace(before: ServicePlan | undefined, after: ServicePlan | undefined): Set<string> {
    const touched = new Set<string>()
    if (before) for (const key of claimKeys(before)) this.#remove(key, before, touched)
    if (after) for (const key of claimKeys(after)) this.#add(key, after, touched)
    return touched
  }

  /** The plan as it may be programmed: the same object when the Service lost nothing. */
  resolve(plan: ServicePlan): { readonly plan: ServicePlan; readonly lost: readonly LostFrontend[] } {
    const lost: LostFrontend[] = []
    if (this.#contested === 0) return { plan, lost }
    for (const port of plan.ports) {
      for (const frontend of port.frontends) {
        const winner = this.#winner(claimKey(port, frontend))
        if (winner && planKey(winner) !== planKey(plan)) lost.push({ frontend, port, winner: planKey(winner) })
      }
    }
    if (lost.length === 0) return { plan, lost }
    const gone = new Set(lost.map(({ frontend }) => frontend))
    const ports = plan.ports.map((port) => ({
      ...port,
      frontends: port.frontends.filter((frontend) => !gone.has(frontend)),
    }))
    return { plan: { ...plan, ports }, lost }
  }

  #winner(key: string): ServicePlan | undefined {
    const claim = this.#claims.get(key)
    return Array.isArray(claim) ? claim[0] : claim
  }

  #add(key: string, plan: ServicePlan, touched: Set<string>): void {
    const claim = this.#claims.get(key)
    if (!claim) {
      this.#claims.set(key, plan)
      return
    }
    if (!Array.isArray(claim)) this.#contested++
    const claimants = Array.isArray(claim) ? claim : [claim]
    for (const other of claimants) touched.add(planKey(other))
    this.#claims.set(key, [...claimants, plan].sort(byPrecedence))
  }

  #remove(key: string, plan: ServicePlan, touched: Set<string>): void {
    const claim = this.#claims.get(key)
    if (!Array.isArray(claim)) {
      this.#claims.delete(key)
      return
    }
    const rest = claim.filter((other) => planKey(other) !== planKey(plan))
    for (const other of rest) touched.add(planKey(other))
    const [only] = rest
    if (rest.length > 1 || !only) {
      this.#claims.set(key, rest)
    } else {
      this.#contested--
      this.#claims.set(key, only)
    }
  }
}

/** `namespace/name`. */
export function planKey(plan: ServicePlan): string {
  return `${plan.namespace}/${plan.name}`
}

function claimKey(port: PortPlan, frontend: FrontendPlan): string {
  return `${frontend.address} ${frontend.port} ${port.protocol}`
}

/** Once each: the ports of a Service may meet, as a port's number and another's NodePort on an external IP. */
function claimKeys(plan: ServicePlan): Set<string> {
  const keys = new Set<string>()
  for (const port of plan.ports) for (const frontend of port.frontends) keys.add(claimKey(port, frontend))
  return keys
}

/** A Service that does not say when it was made is younger than one that does. */
function byPrecedence(a: ServicePlan, b: ServicePlan): number {
  const age = createdAt(a) - createdAt(b)
  if (Number.isFinite(age) && age !== 0) return age
  if (createdAt(a) !== createdAt(b)) return createdAt(a) < createdAt(b) ? -1 : 1
  return planKey(a) < planKey(b) ? -1 : 1
}

function createdAt(plan: ServicePlan): number {
  return plan.creationTimestamp === '' ? Number.POSITIVE_INFINITY : Date.parse(plan.creationTimestamp)
}
