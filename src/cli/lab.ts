// SPDX-License-Identifier: Apache-2.0
/** `maglane lab`: a small cluster in network namespaces, and a tour of it. */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type CniName, cniNames } from '../lab/cni.ts'
import { enter } from '../lab/enter.ts'
import { createLab, type Lab, type LabOptions } from '../lab/lab.ts'
import { kubectlWrapper, labNames } from '../lab/lab-names.ts'
import { type LabRecord, readLabRecords } from '../lab/lab-record.ts'
import { runTour } from '../lab/run-tour.ts'
import { takeDown } from '../lab/take-down.ts'
import { tourFrontends } from '../lab/tour.ts'
import { keptHelp } from '../lab/transcript.ts'
import { type Args, defineCommand, type Io, UsageError } from './command.ts'
import { printRows, toJson } from './output.ts'

const options = {
  cni: { type: 'string', default: 'routed', placeholder: cniNames.join('|'), description: 'How pods are connected' },
  'socket-lb': {
    type: 'string',
    default: 'all',
    placeholder: 'all|host|off',
    description: 'Whose sockets are translated at connect',
  },
  'bridge-nf': { type: 'boolean', default: true, description: 'Bridged packets pass netfilter' },
  cluster: {
    type: 'boolean',
    default: false,
    description: 'With a real API server, which the agents follow, and kubectl',
  },
  examples: {
    type: 'string',
    placeholder: 'DIR',
    description: 'Manifests to apply (default: the examples of maglane)',
  },
  keep: { type: 'boolean', default: false, description: 'Leave the lab up, and say how to look around' },
  json: { type: 'boolean', default: false, description: 'The same as -o json' },
} as const

/** What a shell says of a program that SIGINT ended: 128 + 2. */
const EXIT_INTERRUPTED = 130

type LabArgs = Args<typeof options>

export const command = defineCommand({
  summary: 'Try Services in a small cluster of network namespaces on this machine',
  usage: 'lab [tour | list | exec LAB PLACE -- COMMAND… | down LAB…] [OPTIONS]',
  description: `tour (the default) brings a lab up: two nodes with an agent each, pods, a client outside. It applies the
examples, calls every address from a pod, a node and outside, scales while calling, and takes all down.
list shows the labs that are up, exec runs a command in a pod, a node, outside, fabric or control-plane, or the lab's
kubectl; down takes labs down.`,
  options,
  examples: [
    { command: 'maglane lab', does: 'The tour' },
    { command: 'maglane lab --cni vxlan --keep', does: 'On an overlay network, and leave it up' },
    {
      command: 'maglane lab --cluster --keep',
      does: 'With an API server: kubectl apply, kubectl scale, and traffic follows',
    },
    { command: 'maglane lab exec lab-x3f9k2 kubectl -- get pods -o wide', does: "Ask the lab's API server" },
    { command: 'maglane lab exec lab-x3f9k2 client-a -- curl -s http://10.96.0.10/', does: 'Call from a pod' },
    { command: 'maglane lab down lab-x3f9k2', does: 'Take a lab down that was kept' },
  ],
  async run(args, io) {
    const [action = 'tour', ...rest] = args.positionals
    switch (action) {
      case 'tour':
        return await tour(args, io)
      case 'list':
        return await list(args, io)
      case 'exec':
        return await exec(rest)
      case 'down':
        return await down(rest)
      default:
        throw new UsageError(`lab takes tour, list, exec or down, got "${action}"`)
    }
  },
})

async function tour(args: LabArgs, io: Io): Promise<number> {
  const json = args.values.json || args.output === 'json'
  const examples = args.values.examples ?? fileURLToPath(new URL('../../examples', import.meta.url))
  const print = json ? () => {} : io.stdout
  const start = performance.now()
  const lab = await createLab(labOptions(args))
  let done = false
  try {
    const report = await runTour(lab, { examples, signal: io.signal, print })
    const seconds = Math.round((performance.now() - start) / 100) / 10
    print(
      `\n${report.calls.length} calls of ${report.calls.length / 3} frontends, ${report.failed} failed; ${seconds} s\n`,
    )
    if (json) io.stdout(toJson({ ...report, seconds }))
    done = true
    if (args.values.keep) print(`\n${await lookAround(lab)}`)
    return report.failed === 0 ? 0 : 1
  } catch (error) {
    if (!io.signal.aborted) throw error
    io.stderr('Interrupted: taking the lab down\n')
    return EXIT_INTERRUPTED
  } finally {
    // A lab that is kept is one whose tour was seen to its end.
    if (args.values.keep && done) lab.leave()
    else await lab.close()
  }
}

function labOptions({ values }: LabArgs): LabOptions {
  const cni = oneOf('--cni', values.cni, cniNames) satisfies CniName
  const socketLb = oneOf('--socket-lb', values['socket-lb'], ['all', 'host', 'off'] as const)
  const { cluster, keep } = values
  // The lab's DNS reads manifests; a cluster brings its own.
  return { cni, socketLb, bridgeNetfilter: values['bridge-nf'], keep, cluster, dns: !cluster }
}

function oneOf<const T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value)
  if (found === undefined) throw new UsageError(`${option} takes ${allowed.join(', ')}, got "${value}"`)
  return found
}

async function lookAround(lab: Lab): Promise<string> {
  return keptHelp(lab, tourFrontends(await lab.objects(), lab.nodes.length)[0])
}

async function list(args: LabArgs, io: Io): Promise<number> {
  printRows<LabRecord>(
    args.values.json ? { output: 'json' } : args,
    io,
    [
      { title: 'lab', cell: ({ lab }) => lab },
      { title: 'cni', cell: ({ cni }) => cni },
      { title: 'places', cell: ({ places }) => Object.keys(places).sort().join(' ') },
    ],
    await readLabRecords(),
    'No lab is up.',
  )
  return 0
}

async function exec([name, where, ...argv]: readonly string[]): Promise<number> {
  if (name === undefined || where === undefined || argv.length === 0)
    throw new UsageError('exec takes LAB PLACE -- COMMAND')
  const record = await findLab(name)
  const place = record.places[where]
  if (place === undefined && where === 'kubectl' && 'control-plane' in record.places)
    return spawnSync(kubectlWrapper(await labNames(record.lab)), argv, { stdio: 'inherit' }).status ?? 1
  if (place === undefined) throw new UsageError(`lab ${name} has no place "${where}"; maglane lab list shows them`)
  const [shell = '', ...args] = enter(place, argv)
  return spawnSync(shell, args, { stdio: 'inherit' }).status ?? 1
}

async function down(names: readonly string[]): Promise<number> {
  if (names.length === 0) throw new UsageError('down takes the names of labs; maglane lab list shows them')
  for (const name of names) await takeDown((await findLab(name)).lab)
  return 0
}

async function findLab(name: string): Promise<LabRecord> {
  const record = (await readLabRecords()).find(({ lab }) => lab === name)
  if (record === undefined) throw new UsageError(`no lab ${name} is up`)
  return record
}
