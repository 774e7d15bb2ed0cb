// SPDX-License-Identifier: Apache-2.0
/** Calls without a pause while something else changes: what is claimed to be hitless is counted here. */

import type { Lab, Where } from './lab.ts'
import { call, type TourCall, type TourFrontend } from './tour.ts'

export interface SteadyCalls {
  readonly calls: number
  readonly failed: readonly TourCall[]
  /** Calls that each pod answered. */
  readonly byPod: Readonly<Record<string, number>>
}

/** Calls the frontends from every caller, one call after the other for each pair, until `during` has ended. */
export async function callWhile(
  lab: Lab,
  callers: readonly Where[],
  frontends: readonly TourFrontend[],
  during: () => Promise<void>,
): Promise<SteadyCalls> {
  let calls = 0
  let running = true
  const failed: TourCall[] = []
  const byPod: Record<string, number> = {}
  const loop = async (from: Where, frontend: TourFrontend): Promise<void> => {
    while (running) {
      const made = await call(lab, from, frontend)
      calls += 1
      if (made.answer === undefined) failed.push(made)
      else byPod[made.answer.pod] = (byPod[made.answer.pod] ?? 0) + 1
    }
  }
  const loops = callers.flatMap((from) => frontends.map((frontend) => loop(from, frontend)))
  try {
    await during()
  } finally {
    running = false
    await Promise.all(loops)
  }
  return { calls, failed, byPod }
}
