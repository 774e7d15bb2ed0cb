// SPDX-License-Identifier: Apache-2.0
/** The tuples of a bench's flows. */

import { FlowFlags } from '../../../src/abi/generated.ts'
import type { Maps } from '../../../src/bpf/maps.ts'
import { type AddressPlan, bytesOf, clientPort, VIP_PORT } from './addresses.ts'
import type { Tuple } from './frame.ts'

/** One packet each of `count` clients, to the address that `destination` names for a client. */
export function clientTuples(plan: AddressPlan, count: number, destination: (index: number) => string): Tuple[] {
  return Array.from({ length: count }, (_, index) => ({
    src: bytesOf(plan.client(index)),
    sport: clientPort(index),
    dst: bytesOf(destination(index)),
    dport: VIP_PORT,
  }))
}

/** What backends answer: the tuples of the reply entries that `wanted` accepts by their flags. */
export function replyTuples(maps: Maps, wanted: (flags: number) => boolean): Tuple[] {
  const tuples: Tuple[] = []
  for (const [{ src, dst, sport, dport }, { flags }] of maps.flows.entries()) {
    if (flags & FlowFlags.FLOW_F_REPLY && wanted(flags)) tuples.push({ src, dst, sport, dport })
  }
  return tuples
}

/**
 * In an order that has nothing to do with that in which the flows were made: the kernel hands out a new table's entries
 * side by side, and no cluster's packets come in that order. The same on every run.
 */
export function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items]
  let state = 1
  for (let i = result.length - 1; i > 0; i--) {
    // Numerical Recipes' linear congruential generator.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const j = Math.floor((state / 2 ** 32) * (i + 1))
    const item = result[i] as T
    result[i] = result[j] as T
    result[j] = item
  }
  return result
}
