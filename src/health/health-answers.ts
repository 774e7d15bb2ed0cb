// SPDX-License-Identifier: Apache-2.0
/** `/healthz`, `/livez` and `/readyz`: what load balancers and the kubelet ask. */

import { type Answer, jsonAnswer } from './answer.ts'
import type { HealthReport } from './proxy-health.ts'

/** What the answers are made of. */
export interface HealthFacts extends HealthReport {
  /** The maps have held a whole state. */
  readonly ready: boolean
  /** Services that do not stand in the maps as they should; the others do. */
  readonly failedServices: number
}

/**
 * `/healthz` asks whether to send new connections here, `/livez` whether to restart the agent, `/readyz` (maglane's own)
 * whether a rolling update may go on. Undefined for other paths.
 */
export function healthAnswer(path: string, facts: HealthFacts): Answer | undefined {
  const passed = verdictOf(path, facts)
  if (passed === undefined) return undefined
  const { lastUpdated, currentTime, nodeEligible, failedServices } = facts
  return jsonAnswer(passed ? 200 : 503, {
    lastUpdated: lastUpdated?.toISOString() ?? null,
    currentTime: currentTime.toISOString(),
    nodeEligible,
    failedServices,
  })
}

function verdictOf(path: string, { healthy, nodeEligible, ready }: HealthFacts): boolean | undefined {
  switch (path) {
    case '/healthz':
      return healthy && nodeEligible
    case '/livez':
      // A node that is going away still has connections to serve: no reason to restart.
      return healthy
    case '/readyz':
      return healthy && ready
    default:
      return undefined
  }
}
