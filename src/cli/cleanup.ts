// SPDX-License-Identifier: Apache-2.0
/** `maglane cleanup`: takes every program off and every map away. */

import { runningAgent } from '../agent/instance-lock.ts'
import { removeInstance } from './cleanup/remove-instance.ts'
import { defineCommand, UsageError } from './command.ts'
import { findInstance, InstanceError, instanceNames, instanceOption } from './live/instance.ts'
import { printRows } from './output.ts'

export const command = defineCommand({
  summary: 'Detach all programs and remove all maps',
  usage: 'cleanup [--instance NAME | --all] [OPTIONS]',
  description: [
    'Connections that are translated break, as they do when kube-proxy cleans up. Stop the agent first. Where the kernel has',
    'no tcx (before 6.6), call it in the network namespace of the agent.',
  ].join('\n'),
  options: {
    instance: instanceOption,
    all: { type: 'boolean', default: false, description: 'Every instance on this machine' },
  },
  examples: [
    { command: 'maglane cleanup', does: 'Before maglane is uninstalled' },
    { command: 'maglane cleanup --all', does: 'After labs that were killed' },
  ],
  run: async (args, io) => {
    if (args.positionals.length > 0) throw new UsageError(`cleanup takes options only, got "${args.positionals[0]}"`)
    const { all, instance } = args.values
    const names = all ? instanceNames() : [findInstance(instance).name]
    for (const name of names) refuseRunning(name)
    printRows(
      args,
      io,
      [
        { title: 'instance', cell: (row) => row.instance },
        { title: 'detached', cell: (row) => row.detached, align: 'right' },
        { title: 'maps', cell: (row) => row.maps, align: 'right' },
      ],
      names.map(removeInstance),
      'Nothing to clean up',
    )
    return 0
  },
})

/** An agent would attach again what is taken off. */
function refuseRunning(name: string): void {
  const pid = runningAgent(name)
  if (pid !== undefined) throw new InstanceError(`stop the agent of instance "${name}" first: process ${pid}`)
}
