// SPDX-License-Identifier: Apache-2.0
/** Source ports for masqueraded flows that nobody else uses. */

import { readFile } from 'node:fs/promises'
import type { PortRange } from '../config/config.ts'

/** Ports below are for those with privileges. */
const FIRST_PORT = 1024
const LAST_PORT = 65_535

/** The largest range of 1024…65535 that meets none of `taken`; undefined when nothing is left. Pure. */
export function largestGap(taken: readonly PortRange[]): PortRange | undefined {
  let best: PortRange | undefined
  let start = FIRST_PORT
  const consider = (min: number, max: number) => {
    if (max >= min && (best === undefined || max - min > best.max - best.min)) best = { min, max }
  }
  for (const { min, max } of [...taken].sort((a, b) => a.min - b.min)) {
    consider(start, min - 1)
    start = Math.max(start, max + 1)
  }
  consider(start, LAST_PORT)
  return best
}

/** net.ipv4.ip_local_port_range of this network namespace: what the kernel gives to sockets. */
export async function ephemeralPorts(): Promise<PortRange> {
  const text = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '32768 60999')
  const [min = 32_768, max = 60_999] = text.trim().split(/\s+/).map(Number)
  return { min, max }
}
