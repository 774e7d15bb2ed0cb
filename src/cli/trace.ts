// SPDX-License-Identifier: Apache-2.0
/** `maglane trace`: what becomes of a packet, by the programs themselves. */

import { createReadStream } from 'node:fs'
import { addAbortSignal, Readable } from 'node:stream'
import { CONFIG_FLAGS } from '../config/flags.ts'
import { loadConfig } from '../config/load-config.ts'
import { formatTrace } from '../trace/format-trace.ts'
import { type OpenTracer, tracerOfInstance, tracerOfManifests } from '../trace/open-tracer.ts'
import { hooksOf } from '../trace/program-copy.ts'
import { readLines } from '../trace/read-lines.ts'
import type { Trace } from '../trace/trace-answer.ts'
import type { TraceProgram } from '../trace/trace-knobs.ts'
import {
  type ClientPlace,
  clientPlaces,
  readPacket,
  readPacketLine,
  type TracePacket,
  TracePacketError,
} from '../trace/trace-packet.ts'
import { type Args, defineCommand, type Io, UsageError } from './command.ts'
import { desiredOptions, readDesired, sayErrors } from './desired/desired.ts'
import { findInstance, instanceOption } from './live/instance.ts'
import { toJson } from './output.ts'

const options = {
  ...desiredOptions,
  'hostname-override': CONFIG_FLAGS['hostname-override'],
  'cluster-cidr': CONFIG_FLAGS['cluster-cidr'],
  'detect-local-mode': CONFIG_FLAGS['detect-local-mode'],
  'pod-bridge-interface': CONFIG_FLAGS['pod-bridge-interface'],
  'pod-interface-name-prefix': CONFIG_FLAGS['pod-interface-name-prefix'],
  'masquerade-all': CONFIG_FLAGS['masquerade-all'],
  instance: { ...instanceOption, description: 'Without --manifests: the instance whose maps are asked' },
  src: { type: 'string', placeholder: 'IP[:PORT]', description: 'The client' },
  dst: { type: 'string', placeholder: 'IP:PORT', description: 'What it calls' },
  proto: { type: 'string', placeholder: 'tcp|udp|sctp', description: 'Protocol (default tcp)' },
  from: {
    type: 'string',
    placeholder: clientPlaces.join('|'),
    description: "Where the client is: a pod of this node, the node itself, outside; default: by the client's address",
  },
  packets: {
    type: 'string',
    placeholder: '-|FILE',
    description: 'Packets as JSON lines {"src","dst","proto","from"}; an answer a line, in their order',
  },
} as const

type TraceArgs = Args<typeof options>

export const command = defineCommand({
  summary: 'Tell what becomes of a packet, and why',
  usage:
    'trace [--manifests DIR] [--node NAME] --src IP[:PORT] --dst IP:PORT --proto PROTOCOL [--from PLACE] [OPTIONS]',
  description: [
    'Runs the programs themselves on the first packet of a connection; nothing is sent. With --manifests they are loaded over',
    'maps of their own, and no agent is needed; without, they read the maps that an agent has pinned and write to none of',
    'them: give trace the flags of that agent. Packets do not influence each other. Answers to --packets are JSON lines; a',
    'line that is no packet is answered with {"error"}. Needs root.',
  ].join('\n'),
  options,
  examples: [
    {
      command: 'maglane trace -m examples --node node-a --src 10.244.1.9 --dst 10.96.0.10:80 --proto tcp --from pod',
      does: 'Which backend a pod gets',
    },
    {
      command:
        'maglane trace --src 198.51.100.7 --dst 172.18.0.11:30080 --proto tcp --cluster-cidr 10.244.0.0/16 -o json',
      does: 'What the running agent does with a client from outside',
    },
    {
      command: 'maglane trace -m examples --node node-a --packets - -o json <packets.jsonl',
      does: 'Many packets, the programs loaded once',
    },
  ],
  run: async (args, io) => {
    if (args.positionals.length > 0) throw new UsageError(`trace takes options only, got "${args.positionals[0]}"`)
    return args.values.packets === undefined ? await traceOne(args, io) : await traceMany(args, args.values.packets, io)
  },
})

async function traceOne(args: TraceArgs, io: Io): Promise<number> {
  const { src, dst, proto, from } = args.values
  if (src === undefined || dst === undefined) throw new UsageError('--src and --dst are needed, or --packets')
  const packet = asUsage(() => readPacket({ src, dst, proto, from }))
  using open = await openTracer(args, io, packet.from === undefined ? allPrograms : hooksOf[packet.from])
  const trace = traceWith(open, packet)
  io.stdout(args.output === 'json' ? toJson(trace.answer) : formatTrace(trace))
  return 0
}

async function traceMany(args: TraceArgs, file: string, io: Io): Promise<number> {
  const { src, dst, from } = args.values
  if (src !== undefined || dst !== undefined) throw new UsageError('--packets stands in place of --src and --dst')
  if (from !== undefined && !clientPlaces.includes(from as ClientPlace))
    throw new UsageError(`--from takes ${clientPlaces.join(', ')}, got "${from}"`)
  using open = await openTracer(args, io, allPrograms)
  const input = file === '-' ? io.stdin : createReadStream(file)
  if (input instanceof Readable) addAbortSignal(io.signal, input)
  let number = 0
  try {
    for await (const line of readLines(input)) io.stdout(toJson(answerLine(open, line, ++number, args), 0))
  } catch (error) {
    if (!io.signal.aborted) throw error
  }
  return 0
}

/** A line that cannot be answered costs nothing but its own answer. */
function answerLine(open: OpenTracer, line: string, number: number, { values }: TraceArgs): unknown {
  try {
    return traceWith(open, readPacketLine(line, { from: values.from, proto: values.proto })).answer
  } catch (error) {
    return { error: `line ${number}: ${error instanceof Error ? error.message : String(error)}` }
  }
}

function traceWith({ tracer, placeOf }: OpenTracer, packet: TracePacket): Trace {
  return tracer.trace(packet, packet.from ?? placeOf(packet.source))
}

const allPrograms: readonly TraceProgram[] = clientPlaces.flatMap((place) => hooksOf[place])

async function openTracer({ values }: TraceArgs, io: Io, programs: readonly TraceProgram[]): Promise<OpenTracer> {
  const { instance, src: _src, dst: _dst, proto: _proto, from: _from, packets: _packets, ...flags } = values
  const open = flags.manifests === undefined ? await openLive(flags, instance, io) : await openManifests(flags, io)
  for (const warning of open.warnings) io.stderr(`maglane: ${warning}\n`)
  return open

  async function openManifests(given: typeof flags, { stderr }: Pick<Io, 'stderr'>): Promise<OpenTracer> {
    const { plans, config, errors, notes, manifests, context } = await readDesired(given)
    sayErrors(errors, { stderr })
    for (const note of notes) stderr(`maglane: ${note}\n`)
    return await tracerOfManifests({ plans, config, context, ...manifests }, programs)
  }

  async function openLive(given: typeof flags, name: string, { stderr }: Pick<Io, 'stderr'>): Promise<OpenTracer> {
    const { maps } = findInstance(name)
    const { manifests: _manifests, ...rest } = given
    const { config, notes } = await loadConfig(rest)
    for (const note of notes) stderr(`maglane: ${note}\n`)
    return await tracerOfInstance(maps, config, programs)
  }
}

function asUsage<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof TracePacketError) throw new UsageError(`--${error.message}`, { cause: error })
    throw error
  }
}
