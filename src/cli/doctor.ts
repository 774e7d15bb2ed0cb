// SPDX-License-Identifier: Apache-2.0
/** `maglane doctor`: looks whether a node can run an agent, before anything is attached. */

import { runningAgent } from '../agent/instance-lock.ts'
import { CONFIG_FLAGS } from '../config/flags.ts'
import { loadConfig } from '../config/load-config.ts'
import { examineNode } from '../doctor/examine-node.ts'
import type { Finding } from '../doctor/finding.ts'
import { defineCommand, UsageError } from './command.ts'
import { instanceOf, instanceOption } from './live/instance.ts'
import { toJson } from './output.ts'
import { formatColumns } from './table.ts'

export const command = defineCommand({
  summary: 'Look whether this node can run an agent',
  usage: 'doctor [OPTIONS]',
  description: [
    'Looks at kernel, rights, file systems, devices, ports, settings and other proxies, and says what to do about what it',
    'finds. The programs are loaded and thrown away; nothing is attached, pinned or set. Give it the flags that the agent will',
    'get. Ends with status 1 when something keeps maglane from working; warnings do not count.',
  ].join('\n'),
  options: {
    instance: instanceOption,
    cgroup: { type: 'string', placeholder: 'PATH', description: 'As of the agent' },
    quiet: { type: 'boolean', short: 'q', default: false, description: 'Warnings and errors only' },
    ...CONFIG_FLAGS,
  },
  examples: [
    { command: 'maglane doctor', does: 'On a node, before the agent' },
    {
      command: 'maglane doctor --socket-lb off -o json | jq .findings[]',
      does: 'For a script, with the flag that the agent will get',
    },
  ],
  run: async ({ values, positionals, output }, io) => {
    if (positionals.length > 0) throw new UsageError(`doctor takes options only, got "${positionals[0]}"`)
    const { instance, cgroup, quiet, ...flags } = values
    const { name } = instanceOf(instance)
    const { config } = await loadConfig(flags)
    const agentRuns = runningAgent(name) !== undefined
    const all = await examineNode({ config, instance: name, cgroup, agentRuns })
    const findings = quiet ? all.filter(({ level }) => level === 'warning' || level === 'error') : all
    const ok = !all.some(({ level }) => level === 'error')
    io.stdout(output === 'json' ? toJson({ ok, findings }) : formatFindings(findings, ok))
    return ok ? 0 : 1
  },
})

function formatFindings(findings: readonly Finding[], ok: boolean): string {
  const rows = findings.flatMap(({ level, check, message, remedy }) => {
    const [first = '', ...rest] = message.split('\n')
    const row = [[level.toUpperCase(), check, first], ...rest.map((line) => ['', '', line])]
    return remedy === undefined ? row : [...row, ['', '', `→ ${remedy}`]]
  })
  const verdict = ok ? 'This node can run maglane.' : 'This node cannot run maglane as it is.'
  return `${rows.length === 0 ? '' : `${formatColumns(rows)}\n\n`}${verdict}\n`
}
