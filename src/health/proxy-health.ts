// SPDX-License-Identifier: Apache-2.0
/** Whether the proxy keeps up with what it was told, and whether its node should get new connections (KEP-3836). */

import type { IpFamily, Node } from '../model/types.ts'

/** Set by the Cluster Autoscaler before it takes a node away. */
export const TO_BE_DELETED_TAINT = 'ToBeDeletedByClusterAutoscaler'

/** Twice kube-proxy's default sync period: an update that waits longer is overdue. */
export const HEALTH_TIMEOUT_MS = 60_000

export interface ProxyHealthOptions {
  /** Default {@link HEALTH_TIMEOUT_MS}. */
  readonly timeoutMs?: number
  /** Milliseconds since the epoch, for people. Default Date.now. */
  readonly now?: () => number
  /** Milliseconds that no setting of the clock moves. Default performance.now. */
  readonly elapsed?: () => number
}

/** What a probe is answered. */
export interface HealthReport {
  /** No update of any family is overdue. */
  readonly healthy: boolean
  /** False: no new connection should be sent to this node. */
  readonly nodeEligible: boolean
  /** Now while healthy, as kube-proxy has it; else when the overdue family was last updated. Undefined: never. */
  readonly lastUpdated: Date | undefined
  readonly currentTime: Date
}

/** Remembers, by IP family, the oldest update that is not in the maps yet, and the state of the Node. */
export class ProxyHealth {
  readonly #timeoutMs: number
  readonly #now: () => number
  readonly #elapsed: () => number
  /** By {@link ProxyHealthOptions.elapsed}. */
  readonly #pendingSince = new Map<IpFamily, number>()
  readonly #updatedAt = new Map<IpFamily, number>()
  #nodeEligible = true
  #nodeSeen = false

  constructor(options: ProxyHealthOptions = {}) {
    const { timeoutMs = HEALTH_TIMEOUT_MS, now = Date.now, elapsed = () => performance.now() } = options
    this.#timeoutMs = timeoutMs
    this.#now = now
    this.#elapsed = elapsed
  }

  /** Something has to be written for a family; the clock runs from the first such call since the last update. */
  queued(family: IpFamily): void {
    if (!this.#pendingSince.has(family)) this.#pendingSince.set(family, this.#elapsed())
  }

  /** The maps hold everything that was known of a family. */
  updated(family: IpFamily): void {
    this.#pendingSince.delete(family)
    this.#updatedAt.set(family, this.#now())
  }

  /** True once the maps have held a whole state. */
  get ready(): boolean {
    return this.#updatedAt.size > 0
  }

  /** @param node This node's object; undefined: there is none. One that vanishes was deleted. */
  setNode(node: Node | undefined): void {
    if (node === undefined) {
      if (this.#nodeSeen) this.#nodeEligible = false
      return
    }
    this.#nodeSeen = true
    const deleting = node.metadata.deletionTimestamp !== undefined
    this.#nodeEligible = !deleting && !node.spec.taints.some(({ key }) => key === TO_BE_DELETED_TAINT)
  }

  report(): HealthReport {
    const nowMs = this.#now()
    const elapsedMs = this.#elapsed()
    const overdue = [...this.#pendingSince].find(([, sinceMs]) => elapsedMs - sinceMs >= this.#timeoutMs)
    const updatedAt = overdue === undefined ? nowMs : this.#updatedAt.get(overdue[0])
    return {
      healthy: overdue === undefined,
      nodeEligible: this.#nodeEligible,
      lastUpdated: updatedAt === undefined ? undefined : new Date(updatedAt),
      currentTime: new Date(nowMs),
    }
  }
}
