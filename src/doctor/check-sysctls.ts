// SPDX-License-Identifier: Apache-2.0
/** Settings of the network namespace that Services depend on. */

import type { SocketLb } from '../config/config.ts'
import { familyOf } from '../model/ip.ts'
import type { NodeDevice } from '../node/classify-devices.ts'
import { primaryDevice } from '../node/device-entries.ts'
import { ownSourceSettings } from '../node/own-sources.ts'
import { type Finding, findingsOf } from './finding.ts'

export interface SysctlFacts {
  /** By name with dots or slashes as under /proc/sys: `net/ipv4/ip_forward`; undefined: there is no such file. */
  readonly sysctl: (name: string) => string | undefined
  readonly devices: readonly NodeDevice[]
  readonly socketLb: SocketLb
  readonly localhostNodePorts: boolean
}

/** Pure. */
export function checkSysctls(facts: SysctlFacts): Finding[] {
  const { sysctl, devices } = facts
  const net = devices.filter((device) => device.class === 'net' && !device.loopback)
  return [
    ...checkForwarding(sysctl, net),
    ...checkReversePath(sysctl, net),
    ...checkOwnSources(facts),
    ...checkBridges(sysctl, devices),
  ]
}

function checkForwarding(sysctl: SysctlFacts['sysctl'], net: readonly NodeDevice[]): Finding[] {
  const { ok, warning } = findingsOf('forwarding')
  const families = new Set(net.flatMap((device) => device.addresses.map(familyOf)))
  const off: string[] = []
  if (families.has('IPv4') && sysctl('net/ipv4/ip_forward') === '0') off.push('net.ipv4.ip_forward')
  if (families.has('IPv6') && sysctl('net/ipv6/conf/all/forwarding') === '0') off.push('net.ipv6.conf.all.forwarding')
  if (off.length === 0) return [ok('on')]
  return [
    warning(
      `${off.join(' and ')} off: what comes in for a pod, or for another node, is not sent on`,
      off.map((name) => `sysctl -w ${name}=1`).join('; '),
    ),
  ]
}

function checkReversePath(sysctl: SysctlFacts['sysctl'], net: readonly NodeDevice[]): Finding[] {
  // The kernel takes the larger of the two.
  const all = Number(sysctl('net/ipv4/conf/all/rp_filter') ?? 0)
  const strict = net.filter(({ name }) => Math.max(all, Number(sysctl(`net/ipv4/conf/${name}/rp_filter`) ?? 0)) === 1)
  const { ok } = findingsOf('rp_filter')
  if (strict.length === 0) return [ok('loose or off')]
  return [ok(`strict on ${strict.map(({ name }) => name).join(', ')}: Services work with it`)]
}

/** Replies to the node's own processes come in with an address of the node as their source. */
function checkOwnSources({ sysctl, devices, socketLb, localhostNodePorts }: SysctlFacts): Finding[] {
  if (socketLb !== 'off') return []
  const { warning } = findingsOf('own sources')
  const settings = ownSourceSettings(primaryDevice(devices)?.name, localhostNodePorts)
  const off = settings.filter(({ device, name }) => sysctl(`net/ipv4/conf/${device}/${name}`) !== '1')
  if (off.length === 0) return []
  const names = off.map(({ device, name }) => `net.ipv4.conf.${device}.${name}`)
  return [
    warning(
      `${names.join(', ')} off: without socket hooks, the node's own processes cannot reach its NodePorts`,
      `The agent sets them where it may; in a container it may not: ${names.map((name) => `sysctl -w ${name}=1`).join('; ')}`,
    ),
  ]
}

function checkBridges(sysctl: SysctlFacts['sysctl'], devices: readonly NodeDevice[]): Finding[] {
  const { note } = findingsOf('br_netfilter')
  if (!devices.some((device) => device.class === 'bridge')) return []
  const called = sysctl('net/bridge/bridge-nf-call-iptables')
  return [
    note(
      called === '1'
        ? 'on: netfilter sees what passes between the ports of a bridge'
        : 'off: replies between pods of one bridge pass netfilter by, so their requests do, too; maglane does not need it',
    ),
  ]
}
