// SPDX-License-Identifier: Apache-2.0
/** Sums counters that come, go and start anew into totals that only grow, as a Prometheus counter must. */

import type { ServiceStat } from '../abi/generated.ts'

export type StatName = keyof ServiceStat

export class MonotonicTotals {
  readonly #last = new Map<number, ServiceStat>()
  readonly #totals: Record<StatName, bigint> = { flows: 0n, packets: 0n, bytes: 0n, refused: 0n }

  get totals(): Readonly<Record<StatName, bigint>> {
    return this.#totals
  }

  /** Takes a counter's state over. One that is lower than before has started anew. */
  update(id: number, stat: ServiceStat): void {
    const last = this.#last.get(id)
    // The counters of an id start together: one of them alone never falls behind.
    const anew = last === undefined || stat.packets < last.packets || stat.flows < last.flows
    for (const name of Object.keys(this.#totals) as StatName[]) {
      const grown = anew ? stat[name] : stat[name] - last[name]
      if (grown > 0n) this.#totals[name] += grown
    }
    this.#last.set(id, stat)
  }

  /** Forgets ids that are no longer there; what they counted stays counted. */
  keepOnly(ids: ReadonlySet<number>): void {
    for (const id of this.#last.keys()) if (!ids.has(id)) this.#last.delete(id)
  }
}
