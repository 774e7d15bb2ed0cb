// SPDX-License-Identifier: Apache-2.0
/** `maglane status`: what is attached, how full the maps are, what became of packets. */

import { runningAgent } from '../agent/instance-lock.ts'
import { defineCommand, UsageError } from './command.ts'
import { findInstance, instanceOption } from './live/instance.ts'
import { withLive } from './live/live.ts'
import { toJson } from './output.ts'
import { formatBytes } from './status/format-bytes.ts'
import { type HookRow, readHooks } from './status/hooks.ts'
import { type MapRow, readMapFill } from './status/map-fill.ts'
import { type ReasonRow, readReasons } from './status/reasons.ts'
import { formatTable } from './table.ts'

interface Status {
  readonly instance: string
  /** null: no agent runs; programs go on without. */
  readonly agentPid: number | null
  readonly hooks: readonly HookRow[]
  readonly maps: readonly MapRow[]
  readonly reasons: readonly ReasonRow[]
}

export const command = defineCommand({
  summary: 'Show what is attached, how full maps are, and what became of packets',
  usage: 'status [OPTIONS]',
  description: 'Devices have names when it is called in the network namespace of the agent.',
  options: { instance: instanceOption },
  examples: [
    { command: 'maglane status', does: 'Of the node' },
    { command: 'maglane status -o json | jq \'.reasons[] | select(.verdict == "drop")\'', does: 'Drops, for a script' },
  ],
  run: async ({ values: { instance }, positionals, output }, io) => {
    if (positionals.length > 0) throw new UsageError(`status takes options only, got "${positionals[0]}"`)
    const status = withLive(instance, ({ maps, devices }): Status => {
      const hooks = readHooks(findInstance(instance).links, devices)
      return {
        instance,
        agentPid: runningAgent(instance) ?? null,
        hooks,
        maps: readMapFill(maps),
        reasons: readReasons(maps),
      }
    })
    io.stdout(output === 'json' ? toJson(status) : formatStatus(status))
    return 0
  },
})

function formatStatus({ instance, agentPid, hooks, maps, reasons }: Status): string {
  return [
    `Instance ${instance}: ${agentPid === null ? 'no agent runs' : `the agent is process ${agentPid}`}\n`,
    hooks.length === 0 ? 'Nothing is attached\n' : formatHooks(hooks),
    formatMaps(maps),
    reasons.length === 0 ? 'No packet yet\n' : formatReasons(reasons),
  ].join('\n')
}

function formatHooks(hooks: readonly HookRow[]): string {
  return formatTable(
    [
      { title: 'device', cell: (row) => row.device || (row.ifindex === 0 ? '' : `#${row.ifindex}`) },
      { title: 'hook', cell: (row) => row.type },
      { title: 'mode', cell: (row) => row.mode },
      { title: 'program', cell: (row) => row.program },
      { title: 'link', cell: (row) => row.link },
    ],
    hooks,
  )
}

function formatMaps(maps: readonly MapRow[]): string {
  return formatTable(
    [
      { title: 'map', cell: (row) => row.map },
      { title: 'used', cell: ({ used }) => used ?? '', align: 'right' },
      { title: 'of', cell: (row) => row.capacity, align: 'right' },
      { title: 'full', cell: ({ used, capacity }) => percent(used, capacity), align: 'right' },
      { title: 'memory', cell: (row) => formatBytes(row.memoryBytes), align: 'right' },
    ],
    maps,
  )
}

function percent(used: number | null, capacity: number): string {
  return used === null ? '' : `${Math.ceil((100 * used) / capacity)}%`
}

function formatReasons(reasons: readonly ReasonRow[]): string {
  return formatTable(
    [
      { title: 'reason', cell: (row) => row.reason },
      { title: 'verdict', cell: (row) => row.verdict },
      { title: 'packets', cell: (row) => row.packets, align: 'right' },
      { title: 'bytes', cell: (row) => row.bytes, align: 'right' },
    ],
    reasons,
  )
}
