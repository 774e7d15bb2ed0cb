// SPDX-License-Identifier: Apache-2.0
/** A network namespace for a bench: a node's device with a router behind it, and a pod's; nothing leads out of it. */

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { inNetworkNamespace, interfaceIndex } from '../../../src/ffi/libc.ts'
import { addressPlan } from './addresses.ts'

/** Pods on each node that the kernel knows the neighbours of. */
export const PODS = 100

export interface BenchNetwork extends Disposable {
  readonly name: string
  /** For {@link inNetworkNamespace}. */
  readonly path: string
  /** Device towards the router and the other node. */
  readonly nic: number
  /** Device towards the node's own pods. */
  readonly pod: number
}

/** Makes it; routes and neighbours are static, so that the kernel's route lookup finds both at once. */
export function createBenchNetwork(): BenchNetwork {
  const name = `mgb${randomBytes(4).toString('hex')}`
  const path = `/run/netns/${name}`
  execFileSync('ip', ['netns', 'add', name])
  const remove = () => void execFileSync('ip', ['netns', 'del', name])
  try {
    execFileSync('ip', ['netns', 'exec', name, 'sh', '-ec', sysctls()])
    execFileSync('ip', ['-n', name, '-batch', '-'], { input: commands().join('\n') })
    const index = (device: string) => inNetworkNamespace(path, () => interfaceIndex(device) ?? 0)
    return { name, path, nic: index('nic'), pod: index('pod'), [Symbol.dispose]: remove }
  } catch (error) {
    remove()
    throw error
  }
}

function sysctls(): string {
  return [
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding',
    'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad',
    'echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad',
  ].join('\n')
}

function commands(): string[] {
  const lines = [
    'link set lo up',
    'link add nic type veth peer name router',
    'link add pod type veth peer name eth0',
    ...['nic', 'router', 'pod', 'eth0'].map((device) => `link set ${device} up`),
  ]
  for (const family of [4, 6] as const) {
    const plan = addressPlan(family)
    lines.push(
      `addr add ${plan.node}/${plan.prefix.node} dev nic`,
      `neigh replace ${plan.router} lladdr 02:00:00:00:00:11 nud permanent dev nic`,
      `neigh replace ${plan.otherNode} lladdr 02:00:00:00:00:12 nud permanent dev nic`,
      `route add ${plan.clients}/${plan.prefix.clients} via ${plan.router} dev nic`,
      `route add ${plan.remotePods}/${plan.prefix.pods} via ${plan.otherNode} dev nic`,
      `route add ${plan.localPods}/${plan.prefix.pods} dev pod`,
    )
    for (let i = 0; i < PODS; i++) {
      lines.push(`neigh replace ${plan.localPod(i)} lladdr 02:00:00:00:01:${hexByte(i)} nud permanent dev pod`)
    }
  }
  return lines
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0')
}
