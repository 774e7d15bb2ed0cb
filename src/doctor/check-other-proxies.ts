// SPDX-License-Identifier: Apache-2.0
/** Traces of others who serve Services on this node. */

import { type Finding, findingsOf } from './finding.ts'

export interface OtherProxyFacts {
  /** Where kube-proxy's chain KUBE-SERVICES stands: `iptables`, `ip6tables`. */
  readonly iptables: readonly string[]
  /** Names of nftables' tables: `ip kube-proxy`. */
  readonly nftTables: readonly string[]
  /** /proc/net/ip_vs; '' without ipvs. */
  readonly ipvs: string
  /** Names of network devices. */
  readonly devices: readonly string[]
  /** Names of all BPF programs in the kernel. */
  readonly programs: readonly string[]
  /** Whether a kube-proxy process can be seen. */
  readonly kubeProxyRuns: boolean
}

const CLEAN_UP = 'Take kube-proxy off the node (docs/migration.md), then run once there: kube-proxy --cleanup'

/** Pure. */
export function checkOtherProxies(facts: OtherProxyFacts): Finding[] {
  const findings = [...checkKubeProxy(facts), ...checkIpvs(facts), ...checkCilium(facts), ...checkCalico(facts)]
  return findings.length > 0 ? findings : [findingsOf('other proxies').ok('none')]
}

function checkKubeProxy({ iptables, nftTables, kubeProxyRuns }: OtherProxyFacts): Finding[] {
  const { note, warning } = findingsOf('kube-proxy')
  const tables = nftTables.filter((name) => / kube-proxy$/.test(name))
  const rules = [...iptables, ...tables.map((name) => `nftables table ${name}`)].join(', ')
  if (rules === '') return kubeProxyRuns ? [note('runs')] : []
  const state = kubeProxyRuns ? 'runs' : 'does not run, but left its rules'
  return [
    warning(
      `${state} (${rules}): maglane translates first and the two agree, but new connections still pay for the rules`,
      CLEAN_UP,
    ),
  ]
}

function checkIpvs({ ipvs, devices }: OtherProxyFacts): Finding[] {
  const { warning } = findingsOf('ipvs')
  const services = ipvs.split('\n').filter((line) => /^(TCP|UDP|SCTP) /.test(line)).length
  const holdsAddresses = devices.includes('kube-ipvs0')
  if (services === 0 && !holdsAddresses) return []
  const what = [
    services > 0 && `${services} virtual services`,
    holdsAddresses && 'the device kube-ipvs0 holds every ClusterIP',
  ]
  return [
    warning(
      `${what.filter(Boolean).join(', ')}: what maglane passes up is delivered to them`,
      `${CLEAN_UP}; what is left: ipvsadm --clear; ip link del kube-ipvs0`,
    ),
  ]
}

function checkCilium({ programs, devices }: OtherProxyFacts): Finding[] {
  const { note, error } = findingsOf('cilium')
  if (programs.some((name) => /^(cil_)?sock[46]_connect/.test(name))) {
    const remedy = 'Turn its kube-proxy replacement off: kubeProxyReplacement=false, socketLB.enabled=false'
    return [error('translates Services in its own socket hooks', remedy)]
  }
  if (!devices.includes('cilium_host') && !programs.some((name) => name.startsWith('cil_'))) return []
  return [note('runs, without socket hooks of its own; check that kubeProxyReplacement is false')]
}

function checkCalico({ programs }: OtherProxyFacts): Finding[] {
  const { error } = findingsOf('calico')
  if (!programs.some((name) => /^cal(i|ico)_(connect|ctlb)_?/.test(name))) return []
  const remedy = 'Turn its eBPF dataplane off: linuxDataplane: Iptables or Nftables in the Installation'
  return [error('its eBPF dataplane translates Services', remedy)]
}
