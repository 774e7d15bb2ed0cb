// SPDX-License-Identifier: Apache-2.0
/** Connections that a node translates, found by the tuple of either direction. */

import type { Tuple } from './read-frame.ts'

/** Before netfilter (XDP, tc ingress) or after it (tc egress). */
export type Side = 'ingress' | 'egress'

export interface Connection {
  readonly service: number
  /** 0: a direct connection, kept apart from a VIP's. */
  readonly backend: number
  /** By a process of the node. */
  readonly host: boolean
  /** Both directions leave by the next hop, not through the stack. */
  readonly redirected: boolean
  readonly affinityId: bigint | undefined
  clientFin: boolean
  backendFin: boolean
  reset: boolean
}

/** One direction: what its packets look like, and what they become. */
export interface Entry {
  readonly connection: Connection
  readonly reply: boolean
  readonly before: Tuple
  readonly side: Side
  readonly after: Tuple
  /** MACs of a redirected frame: destination, source. */
  readonly macs: readonly [string, string]
}

export function isClosed({ clientFin, backendFin, reset }: Connection): boolean {
  return reset || (clientFin && backendFin)
}

export class FlowMemory {
  readonly #entries = new Map<string, Entry>()

  get size(): number {
    return this.#entries.size
  }

  find(tuple: Tuple, side: Side): Entry | undefined {
    return this.#entries.get(keyOf(tuple, side))
  }

  add(entry: Entry): void {
    this.#entries.set(keyOf(entry.before, entry.side), entry)
  }

  /** Forgets a connection's entries; one that stands under a key of its but is another's stays. */
  forget(connection: Connection): void {
    for (const [key, entry] of this.#entries) if (entry.connection === connection) this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }
}

function keyOf({ src, sport, dst, dport, protocol }: Tuple, side: Side): string {
  return `${side} ${protocol} ${src} ${sport} ${dst} ${dport}`
}
