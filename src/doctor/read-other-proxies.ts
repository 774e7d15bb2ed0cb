// SPDX-License-Identifier: Apache-2.0
/** Looks for traces of other proxies. Nothing is changed: no kernel module is loaded by asking, either. */

import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { describeProgramById, programIds } from '../bpf/program.ts'
import type { OtherProxyFacts } from './check-other-proxies.ts'

const run = promisify(execFile)

/** Every rule of kube-proxy in iptables is reached from here; the kubelet's own chains are not proof of it. */
const KUBE_PROXY_CHAIN = 'KUBE-SERVICES'

export async function readOtherProxies(devices: readonly string[]): Promise<OtherProxyFacts> {
  return {
    iptables: await kubeProxyChains(),
    nftTables: (await lines('nft', 'list', 'tables')).map((line) => line.replace(/^table /, '')),
    ipvs: textOf('/proc/net/ip_vs'),
    devices,
    programs: programNames(),
    kubeProxyRuns: processNames().includes('kube-proxy'),
  }
}

/** iptables writes into nftables tables named `nat`, or into the kernel's own, which are there only once they are used. */
async function kubeProxyChains(): Promise<string[]> {
  const found: string[] = []
  for (const [command, family, legacy] of [
    ['iptables', 'ip', '/proc/net/ip_tables_names'],
    ['ip6tables', 'ip6', '/proc/net/ip6_tables_names'],
  ] as const) {
    const chain = await lines('nft', 'list', 'chain', family, 'nat', KUBE_PROXY_CHAIN)
    const old = textOf(legacy).split('\n').includes('nat')
    const rules = old ? await lines(`${command}-legacy`, '-t', 'nat', '-S', KUBE_PROXY_CHAIN) : []
    if (chain.length > 0 || rules.length > 0) found.push(command)
  }
  return found
}

/** Nothing where the command is not there or fails: then there is nothing of that kind either. */
async function lines(command: string, ...args: readonly string[]): Promise<string[]> {
  try {
    const { stdout } = await run(command, args, { maxBuffer: 64 << 20 })
    return stdout.split('\n').filter((line) => line !== '')
  } catch {
    return []
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function programNames(): string[] {
  try {
    return [...programIds()].flatMap((id) => describeProgramById(id)?.name ?? [])
  } catch {
    // Listing programs needs CAP_SYS_ADMIN.
    return []
  }
}

function processNames(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => textOf(`/proc/${pid}/comm`).trim())
}
