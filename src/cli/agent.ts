// SPDX-License-Identifier: Apache-2.0
/** `maglane agent`: keeps a node's Services programmed. */

import { renameSync, writeFileSync } from 'node:fs'
import { type ReadyFacts, runAgent } from '../agent/agent.ts'
import { lineLog } from '../agent/log.ts'
import { runWithReloads } from '../agent/run-with-reloads.ts'
import { kubernetesSource, manifestSource } from '../agent/sources.ts'
import { CONFIG_FLAGS } from '../config/flags.ts'
import { defineCommand, UsageError } from './command.ts'

/** Whole or not at all: whoever waits for the file may read it at once. */
function writeReadyFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

export const command = defineCommand({
  summary: 'Keep the Services of this node programmed',
  usage: 'agent [--kubeconfig FILE | --manifests DIR] [--node NAME] [--instance NAME] [OPTIONS]',
  description: [
    "Follows the API server of the cluster (a Pod's service account, or --kubeconfig) or a folder of manifests, programs",
    'the kernel, attaches to the devices and the cgroup of this node, and keeps up with every change. When it ends, by',
    'whatever cause, maps and programs stay and traffic goes on; the next start takes over. SIGHUP reads --config again.',
    'Logs go to standard error; a line of JSON on standard output says that everything is in place.',
  ].join('\n'),
  options: {
    manifests: {
      type: 'string',
      short: 'm',
      placeholder: 'DIR',
      description: 'Folder of manifests, watched, instead of an API server',
    },
    instance: {
      type: 'string',
      default: 'default',
      placeholder: 'NAME',
      description: 'Name of the pins, where several agents run on one machine',
    },
    cgroup: {
      type: 'string',
      placeholder: 'PATH',
      description: 'Processes that the socket hooks serve; default: all, the root of cgroup2',
    },
    'ready-file': { type: 'string', placeholder: 'FILE', description: 'Written when everything is in place' },
    ...CONFIG_FLAGS,
  },
  examples: [
    {
      command: 'maglane agent --config /etc/maglane/config.conf',
      does: 'A node of a cluster, in a Pod or with a kubeconfig',
    },
    { command: 'maglane agent --manifests /etc/maglane', does: 'A standalone load balancer' },
    {
      command: 'maglane agent --manifests /etc/maglane --node node-a --cluster-cidr 10.244.0.0/16 --devices eth0',
      does: 'A node of a cluster that is described by a folder',
    },
  ],
  run: async ({ values, positionals }, io) => {
    if (positionals.length > 0) throw new UsageError(`agent takes options only, got "${positionals[0]}"`)
    const { manifests, instance, cgroup, 'ready-file': readyFile, ...flags } = values
    if (!/^[\w-]{1,64}$/.test(instance))
      throw new UsageError(`--instance takes letters, digits, - and _, got "${instance}"`)
    const log = lineLog(io.stderr)
    const onReady = (facts: ReadyFacts) => {
      const text = `${JSON.stringify({ event: 'ready', ...facts })}\n`
      log('info', 'ready', { ...facts })
      io.stdout(text)
      if (readyFile !== undefined) writeReadyFile(readyFile, text)
    }
    await runWithReloads({
      flags,
      log,
      signal: io.signal,
      run: async (config, signal) => {
        const source = manifests === undefined ? kubernetesSource(config, log) : manifestSource(manifests, config)
        await runAgent({ config, instance, cgroup, source, log, signal, onReady })
      },
    })
    return 0
  },
})
