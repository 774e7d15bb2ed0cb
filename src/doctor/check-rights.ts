// SPDX-License-Identifier: Apache-2.0
/** Whether this process may do what an agent does. */

import { type Finding, findingsOf } from './finding.ts'

// linux/capability.h
const CAPABILITIES = { NET_ADMIN: 12, SYS_PTRACE: 19, SYS_ADMIN: 21, SYS_RESOURCE: 24, PERFMON: 38, BPF: 39 } as const
type Capability = keyof typeof CAPABILITIES

export interface RightsFacts {
  /** /proc/self/status. */
  readonly status: string
  /** Other processes than those of this container can be seen. */
  readonly seesNode: boolean
  /** Memory of BPF maps counts against RLIMIT_MEMLOCK: before Linux 5.11. */
  readonly memlock: boolean
}

/** Pure. */
export function checkRights({ status, seesNode, memlock }: RightsFacts): Finding[] {
  const { ok, warning, error } = findingsOf('rights')
  const bits = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`)
  const has = (name: Capability) => ((bits >> BigInt(CAPABILITIES[name])) & 1n) === 1n
  // Before Linux 5.8 CAP_SYS_ADMIN stood for both.
  const stoodFor: readonly Capability[] = ['BPF', 'PERFMON']
  const required: readonly Capability[] = [
    'BPF',
    'PERFMON',
    'NET_ADMIN',
    ...(memlock ? (['SYS_RESOURCE'] as const) : []),
  ]
  const missing = required.filter((name) => !has(name) && !(stoodFor.includes(name) && has('SYS_ADMIN')))
  if (missing.length > 0) {
    const names = missing.map((name) => `CAP_${name}`).join(', ')
    return [error(`${names} missing`, 'Run as root, or give the container these capabilities')]
  }
  const needed = (['SYS_ADMIN', 'SYS_PTRACE'] as const).filter((name) => !has(name)).map((name) => `CAP_${name}`)
  if (!seesNode) needed.push("the node's PID namespace (hostPID)")
  if (needed.length === 0) return [ok('all capabilities that an agent can use')]
  return [
    ok('BPF, PERFMON, NET_ADMIN'),
    warning(
      `Connected UDP sockets of pods stay on a backend that is gone: ${needed.join(', ')} missing`,
      'Give them to the agent, or let clients of UDP Services time out and connect again',
    ),
  ]
}
