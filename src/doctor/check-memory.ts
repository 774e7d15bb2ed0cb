// SPDX-License-Identifier: Apache-2.0
/** Whether the maps fit into the node's memory, all of them full. */

import { formatBytes } from '../cli/status/format-bytes.ts'
import { type Finding, findingsOf } from './finding.ts'

export interface MemoryFacts {
  /** Bytes by map, largest first. */
  readonly maps: readonly (readonly [name: string, bytes: number])[]
  readonly availableBytes: number
}

/** More than that share of what is free is worth a word. */
const LARGE_SHARE = 0.25

/** Pure. */
export function checkMemory({ maps, availableBytes }: MemoryFacts): Finding[] {
  const { ok, warning, error } = findingsOf('memory')
  const total = maps.reduce((sum, [, bytes]) => sum + bytes, 0)
  const message = `full maps take ${formatBytes(total)} of ${formatBytes(availableBytes)} that are available`
  const largest = maps.slice(0, 2).map(([name, bytes]) => `${name} ${formatBytes(bytes)}`)
  const remedy = `Make maps smaller by --map-size; the largest are ${largest.join(', ')}`
  if (total > availableBytes) return [error(message, remedy)]
  return [total > LARGE_SHARE * availableBytes ? warning(message, remedy) : ok(message)]
}
