// SPDX-License-Identifier: Apache-2.0
/** Whether NodePorts, the kernel's ephemeral ports and the ports of masqueraded flows keep out of each other's way. */

import type { PortRange } from '../config/config.ts'
import { largestGap } from '../node/snat-port-range.ts'
import { type Finding, findingsOf } from './finding.ts'

export interface PortFacts {
  /** net.ipv4.ip_local_port_range. */
  readonly ephemeral: PortRange
  /** net.ipv4.ip_local_reserved_ports: `30000-32767,8080`. */
  readonly reserved: string
  readonly nodePorts: PortRange
  /** As configured; undefined: found out. */
  readonly snat: PortRange | undefined
}

/** So many masqueraded flows one backend port can have from one node address. */
const FEW_PORTS = 10_000

/** Pure. */
export function checkPorts({ ephemeral, reserved, nodePorts, snat }: PortFacts): Finding[] {
  const { ok, warning, error } = findingsOf('ports')
  const findings: Finding[] = []
  if (meet(ephemeral, nodePorts) && !isReserved(reserved, nodePorts)) {
    findings.push(
      warning(
        `the kernel gives ports of ${text(ephemeral)} to clients, NodePorts ${text(nodePorts)} among them`,
        `sysctl -w net.ipv4.ip_local_reserved_ports=${[reserved, text(nodePorts)].filter(Boolean).join(',')}`,
      ),
    )
  }
  const range = snat ?? largestGap([ephemeral, nodePorts])
  if (range === undefined) {
    const remedy = `sysctl -w net.ipv4.ip_local_port_range="32768 60999"`
    return [...findings, error('ephemeral ports and NodePorts leave none for masqueraded flows', remedy)]
  }
  for (const [name, other] of [
    ['ephemeral ports', ephemeral],
    ['NodePorts', nodePorts],
  ] as const) {
    if (!meet(range, other)) continue
    const message = `masqueraded flows use ${text(range)}, which meets the ${name} ${text(other)}`
    findings.push(error(message, 'Leave --snat-port-range out, or give a range of its own'))
  }
  const ports = range.max - range.min + 1
  if (ports < FEW_PORTS) {
    const message = `${ports} ports, ${text(range)}, for masqueraded flows: so many a backend port can have at once`
    findings.push(warning(message, 'Make net.ipv4.ip_local_port_range smaller'))
  }
  if (findings.length > 0) return findings
  return [
    ok(`masqueraded flows use ${text(range)}, NodePorts ${text(nodePorts)}, clients of the node ${text(ephemeral)}`),
  ]
}

function meet(a: PortRange, b: PortRange): boolean {
  return a.min <= b.max && b.min <= a.max
}

/** Every port of the range stands in the kernel's list. */
function isReserved(list: string, range: PortRange): boolean {
  const ranges = list
    .split(',')
    .filter((part) => part.trim() !== '')
    .map((part) => part.split('-').map(Number))
    .sort(([a = 0], [b = 0]) => a - b)
  let next = range.min
  for (const [min = 0, max = min] of ranges) if (min <= next && next <= max) next = max + 1
  return next > range.max
}

function text({ min, max }: PortRange): string {
  return min === max ? String(min) : `${min}-${max}`
}
