// SPDX-License-Identifier: Apache-2.0
/** Network namespaces: made in one batch, then each set up by one script that runs inside it. */

import { run, runChecked } from './run.ts'

/** What is done inside one network namespace, in this order. */
export interface NamespaceSetup {
  /** Sysctls by name with slashes below /proc/sys, `net/ipv4/ip_forward`; `*` stands for every device. */
  readonly sysctls: Readonly<Record<string, string | number>>
  /** Arguments of ethtool. */
  readonly ethtool: readonly string[]
  /** Lines of `ip -batch`. */
  readonly ip: readonly string[]
  /** Lines of `bridge -batch`. */
  readonly bridge: readonly string[]
  /** Ruleset in nft's language; '' for none. */
  readonly nft: string
}

export const emptySetup: NamespaceSetup = { sysctls: {}, ethtool: [], ip: [], bridge: [], nft: '' }

/** Arguments that run a command in a network namespace. /sys stays the caller's: bpffs remains visible there. */
export function inNamespace(namespace: string, argv: readonly string[]): string[] {
  return ['nsenter', `--net=/run/netns/${namespace}`, '--', ...argv]
}

/** Creates links between namespaces (and the namespaces, by `netns add` lines) from the machine's own namespace. */
export async function ipBatch(lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await runChecked(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })
}

/** Applies a setup. Rejects with LAB_COMMAND_FAILED at the first step that fails. */
export async function setUpNamespace(namespace: string, setup: NamespaceSetup): Promise<void> {
  await runChecked(inNamespace(namespace, ['sh', '-e']), { input: setupScript(setup) })
}

/** The namespaces that exist on this machine under a name that begins like this. */
export async function listNamespaces(prefix: string): Promise<string[]> {
  const { stdout } = await run(['ip', 'netns', 'list'])
  return stdout
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name.startsWith(prefix))
}

/** Deletes namespaces and all devices in them; a missing one is none to delete. */
export async function deleteNamespaces(namespaces: readonly string[]): Promise<void> {
  const present = new Set(await listNamespaces(''))
  const lines = namespaces.filter((name) => present.has(name)).map((name) => `netns delete ${name}`)
  await ipBatch(lines)
}

function setupScript(setup: NamespaceSetup): string {
  const lines: string[] = []
  for (const [name, value] of Object.entries(setup.sysctls)) {
    lines.push(`for f in /proc/sys/${name}; do echo ${value} > "$f"; done`)
  }
  for (const args of setup.ethtool) lines.push(`ethtool ${args} > /dev/null`)
  if (setup.ip.length > 0) lines.push(hereDocument('ip -batch -', setup.ip.join('\n')))
  if (setup.bridge.length > 0) lines.push(hereDocument('bridge -batch -', setup.bridge.join('\n')))
  if (setup.nft !== '') lines.push(hereDocument('nft -f -', setup.nft))
  return `${lines.join('\n')}\n`
}

function hereDocument(command: string, text: string): string {
  return `${command} <<'END'\n${text}\nEND`
}
