// SPDX-License-Identifier: Apache-2.0
/** Which Services must be compiled again, and what they compile to. */

import type { ServicePlan } from '../model/types.ts'
import { compileService } from './compile-service.ts'
import type { CompiledService } from './compiled-service.ts'

export interface CompiledChange {
  /** Services whose plan is new or another object than before, in the order of `plans`. */
  readonly changed: readonly CompiledService[]
  /** Keys of Services that have no plan any more. */
  readonly removed: readonly string[]
}

/**
 * Compiles what differs from `planOf`, which tells the plan that a Service was last compiled from. Plans are compared by
 * identity: the model keeps the object of a Service that nothing happened to.
 *
 * @param known keys of all Services that were compiled before
 */
export function compile(
  plans: ReadonlyMap<string, ServicePlan>,
  known: Iterable<string>,
  planOf: (key: string) => ServicePlan | undefined,
): CompiledChange {
  const changed: CompiledService[] = []
  for (const [key, plan] of plans) if (planOf(key) !== plan) changed.push(compileService(plan))
  const removed: string[] = []
  for (const key of known) if (!plans.has(key)) removed.push(key)
  return { changed, removed }
}
