// SPDX-License-Identifier: Apache-2.0
/** The agent: from a source to the maps, and the hooks that read them. */

import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { sameAddress } from '../abi/address.ts'
import { BackendFlags } from '../abi/generated.ts'
import { type Maps, mapsOf } from '../bpf/maps.ts'
import type { BpfObject } from '../bpf/object.ts'
import { type Config, ConfigError } from '../config/config.ts'
import { localDetector } from '../config/local-detector.ts'
import { Dataplane } from '../dataplane/dataplane.ts'
import { liveTables } from '../dataplane/live-tables.ts'
import { Sweeper } from '../dataplane/sweeper.ts'
import { closeDeadUdpSockets } from '../dataplane/udp-sockets.ts'
import { monotonicNs } from '../ffi/clock.ts'
import { networkNamespaceCookie } from '../ffi/libc.ts'
import { type Model, updateModel } from '../model/model.ts'
import { nodeContext } from '../model/node-context.ts'
import type { ObjectError, ObjectSet } from '../model/types.ts'
import { Attacher } from '../node/attach.ts'
import { cgroupRoot } from '../node/cgroup-root.ts'
import { primaryDevice } from '../node/device-entries.ts'
import { applySettings, ownSourceSettings } from '../node/own-sources.ts'
import { ephemeralPorts, largestGap } from '../node/snat-port-range.ts'
import { Coalescer } from './coalescer.ts'
import { ControlMap } from './control.ts'
import { lockInstance } from './instance-lock.ts'
import { kernelFeatures } from './kernel-features.ts'
import { loadPrograms, memoryOfMaps, type PinDirectories, pinDirectories } from './load-programs.ts'
import type { Log } from './log.ts'
import { NodeDuties } from './node-duties.ts'
import { applyView, followNetwork, type NodeView, viewNode } from './node-state.ts'
import { programCidrs, programConfig } from './program-config.ts'
import { packageVersion } from './version.ts'

const AUDIT_INTERVAL_MS = 60_000

/** Well below the rest of ids, so that what names a dead backend is gone before its id returns. */
const SWEEP_INTERVAL_MS = 10_000

/** What the source knows, with what could not be read. */
export interface SourceState {
  readonly objects: ObjectSet
  readonly errors: readonly ObjectError[]
}

/** Calls `publish` with the first complete state, then after each change, until the signal aborts. */
export type Source = (signal: AbortSignal, publish: (state: SourceState) => Promise<void>) => Promise<void>

export interface AgentOptions {
  readonly config: Config
  /** Name of the pins' folder. */
  readonly instance: string
  /** Folder of the cgroup whose processes the socket hooks serve; default: the root of the cgroup2 mount. */
  readonly cgroup?: string | undefined
  readonly source: Source
  readonly log: Log
  /** Called when the first state stands in the maps and every hook is attached. */
  readonly onReady: (facts: ReadyFacts) => void
  /** Ends the agent; maps, programs and hooks stay. */
  readonly signal: AbortSignal
}

export interface ReadyFacts {
  readonly instance: string
  readonly node: string
  readonly services: number
  readonly failures: number
  readonly startMs: number
}

/** Runs until the signal aborts. */
export async function runAgent(options: AgentOptions): Promise<void> {
  using _lock = lockInstance(options.instance)
  const { config, log } = options
  using duties = new NodeDuties({ config, log, version: packageVersion() })
  const agent = new Agent(options, duties, await viewNode(config))
  await agent.run()
}

class Agent {
  readonly #options: AgentOptions
  readonly #duties: NodeDuties
  readonly #startedMs = performance.now()
  #view: NodeView
  #state: SourceState | undefined
  #model: Model | undefined
  #saidErrors = ''
  #saidFailures = ''
  #parts: Parts | undefined
  readonly #reconciler = new Coalescer(() => this.#reconcile())
  readonly #socketCloser = new Coalescer(() => this.#closeDeadSockets())
  /** The mappings must outlive it. */
  #closing: Promise<void> = Promise.resolve()

  constructor(options: AgentOptions, duties: NodeDuties, view: NodeView) {
    this.#options = options
    this.#duties = duties
    this.#view = view
  }

  async run(): Promise<void> {
    const { source, signal: outer } = this.#options
    const failure = new AbortController()
    const signal = AbortSignal.any([outer, failure.signal])
    const tasks: Promise<void>[] = []
    const watch = async (task: Promise<void>) => {
      try {
        await task
      } catch (error) {
        if (!signal.aborted) failure.abort(error)
      }
    }
    tasks.push(
      watch(
        source(signal, async (state) => {
          this.#state = state
          this.#duties.onState()
          const first = this.#parts === undefined
          await this.#reconciler.request()
          if (first && this.#parts)
            tasks.push(
              watch(this.#follow(signal)),
              watch(this.#auditForever(signal)),
              watch(this.#sweepForever(signal)),
            )
        }),
      ),
    )
    for (let i = 0; i < tasks.length; i++) await tasks[i]
    await this.#closing
    // What reads the maps for the metrics lets go of them first.
    this.#duties.stop()
    this.#parts?.close()
    if (failure.signal.aborted) throw failure.signal.reason
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { config, log } = this.#options
    const parts = this.#parts
    if (parts === undefined) return
    await followNetwork(config, parts.control, log, signal, async (view) => {
      const moved = !isDeepStrictEqual(view.addresses, this.#view.addresses)
      this.#view = view
      applyView(parts.maps, view, parts.detector, parts.attacher, log)
      if (moved) await this.#reconciler.request()
    })
  }

  async #auditForever(signal: AbortSignal): Promise<void> {
    const { log } = this.#options
    while (!signal.aborted) {
      await delay(AUDIT_INTERVAL_MS, undefined, { signal }).catch(() => undefined)
      if (signal.aborted || this.#parts === undefined) return
      const { maps, detector, attacher } = this.#parts
      applyView(maps, this.#view, detector, attacher, log)
      const report = await this.#parts.dataplane.audit()
      this.#duties.onAudit(report)
      if (Object.values(report).some((drift) => drift > 0)) log('warn', 'maps had drifted and were repaired', report)
      if (this.#parts.dataplane.state.failures.size > 0) await this.#reconciler.request()
    }
  }

  async #sweepForever(signal: AbortSignal): Promise<void> {
    const { log } = this.#options
    while (!signal.aborted) {
      await delay(SWEEP_INTERVAL_MS, undefined, { signal }).catch(() => undefined)
      if (signal.aborted || this.#parts === undefined) return
      await this.#parts.sweeper
        .sweep()
        .then((report) => this.#duties.onSweep(report))
        .catch((error) => log('error', 'cannot sweep the flows', { reason: String(error) }))
    }
  }

  async #closeDeadSockets(): Promise<void> {
    const { log } = this.#options
    if (this.#parts === undefined) return
    const { maps, serves } = this.#parts
    const closed = await closeDeadUdpSockets({
      sockets: maps.sockets,
      serves,
      onError: (namespace, error) => log('warn', 'cannot look for UDP sockets', { namespace, reason: String(error) }),
    }).catch((error) => log('error', 'cannot close UDP sockets of dead backends', { reason: String(error) }))
    this.#duties.onSocketsClosed(closed ?? 0)
    if (closed) log('info', 'closed connected UDP sockets of dead backends', { sockets: closed })
  }

  async #reconcile(): Promise<void> {
    const { config, log, signal, instance, onReady } = this.#options
    const state = this.#state
    if (state === undefined) return
    const startMs = performance.now()
    const node = state.objects.nodes.get(config.nodeName)
    const context = nodeContext({
      nodeName: config.nodeName,
      node,
      addresses: config.nodeIps.length > 0 ? config.nodeIps : this.#view.addresses,
      nodePortAddresses: config.nodePortAddresses,
      localhostNodePorts: config.localhostNodePorts,
    })
    const model = updateModel(this.#model, state.objects, context)
    this.#model = model
    this.#duties.onModel(model, node)
    const errors = [...state.errors, ...model.errors]
    this.#sayErrors(errors)
    const first = this.#parts === undefined
    if (this.#parts === undefined) {
      const parts = await makeParts(this.#options, this.#duties, state.objects)
      this.#parts = parts
      const { maps, dataplane } = parts
      this.#duties.observe({ maps, dataplane, attachments: () => parts.attacher.attachments })
    }
    const { dataplane, control, attacher, maps, detector } = this.#parts
    const result = await dataplane.sync(model.plans, signal)
    this.#setServiceCidrs(control, state.objects)
    this.#sayFailures(result.failures.map((error) => error.message))
    const syncMs = Math.round((performance.now() - startMs) * 10) / 10
    const programmed = () => this.#duties.onProgrammed(model, result, syncMs, errors.length)
    if (result.written) log('info', 'programmed', { changed: result.changed, removed: result.removed, ms: syncMs })
    // Looks into every namespace, which takes its time; the next change does not wait for it.
    if (result.udpRetired || first) this.#closing = this.#socketCloser.request()
    if (!first) {
      programmed()
      return
    }
    const report = await dataplane.audit()
    this.#duties.onAudit(report)
    if (Object.values(report).some((drift) => drift > 0)) log('warn', 'maps were repaired at start', report)
    applyView(maps, this.#view, detector, attacher, log)
    if (config.socketLb === 'off') this.#acceptOwnSources()
    attacher.syncSockets(config.socketLb === 'off' ? undefined : this.#cgroup())
    control.raiseHopEpoch()
    programmed()
    const failures = result.failures.length
    onReady({
      instance,
      node: config.nodeName,
      services: model.plans.size,
      failures,
      startMs: Math.round(performance.now() - this.#startedMs),
    })
  }

  /** Nobody else would answer the node's own processes at its NodePorts. */
  #acceptOwnSources(): void {
    const { config, log } = this.#options
    const primary = primaryDevice(this.#view.devices)?.name
    try {
      for (const { device, name } of applySettings(ownSourceSettings(primary, config.localhostNodePorts)))
        log('info', 'set a sysctl for replies to the node itself', { device, name, value: 1 })
    } catch (error) {
      log('warn', "the node's own processes cannot reach its NodePorts", { reason: String(error) })
    }
  }

  #cgroup(): string {
    const cgroup = this.#options.cgroup ?? cgroupRoot()
    if (cgroup === undefined)
      throw new ConfigError('--cgroup', 'no cgroup2 is mounted; mount one or give --socket-lb off')
    return cgroup
  }

  #setServiceCidrs(control: ControlMap, objects: ObjectSet): void {
    const cidrs = [...objects.serviceCIDRs.values()].flatMap((object) => object.spec.cidrs)
    try {
      control.setServiceCidrs(programCidrs('ServiceCIDR', [...new Set(cidrs)].sort()))
    } catch (error) {
      this.#options.log('error', error instanceof Error ? error.message : String(error))
    }
  }

  #sayErrors(errors: readonly ObjectError[]): void {
    const text = JSON.stringify(errors)
    if (text === this.#saidErrors) return
    this.#saidErrors = text
    for (const { source, object, field, message } of errors) {
      this.#options.log('error', message, { source, object, field: field === '' ? undefined : field })
    }
  }

  #sayFailures(messages: readonly string[]): void {
    const text = messages.join('\n')
    if (text !== this.#saidFailures) for (const message of messages) this.#options.log('error', message)
    this.#saidFailures = text
  }
}

/** What stands once the programs are loaded. */
interface Parts {
  readonly maps: Maps
  readonly control: ControlMap
  readonly dataplane: Dataplane
  readonly attacher: Attacher
  readonly sweeper: Sweeper
  /** Whether an id still stands for this endpoint, and it serves. */
  readonly serves: (id: number, address: Uint8Array, port: number) => boolean
  readonly detector: ReturnType<typeof localDetector>
  close(): void
}

async function makeParts(options: AgentOptions, duties: NodeDuties, objects: ObjectSet): Promise<Parts> {
  const { config, instance, log } = options
  const pins: PinDirectories = pinDirectories(instance)
  const memory = memoryOfMaps(config)
  const totalBytes = memory.reduce((sum, [, bytes]) => sum + bytes, 0)
  log('info', 'worst-case memory of all maps', {
    total_mib: mebibytes(totalBytes),
    ...Object.fromEntries(memory.slice(0, 5).map(([name, bytes]) => [name, mebibytes(bytes)])),
  })
  const detector = localDetector(config, objects.nodes.get(config.nodeName))
  const snatPorts = config.snatPortRange ?? largestGap([await ephemeralPorts(), config.nodePortRange])
  if (snatPorts === undefined)
    throw new ConfigError('--snat-port-range', 'ephemeral ports and NodePorts leave no port free')
  const object = loadPrograms({
    config,
    programConfig: programConfig({
      config,
      detector,
      features: kernelFeatures(),
      snatPorts,
      hostNetns: networkNamespaceCookie(),
    }),
    pins,
    log,
  })
  log('info', 'programs loaded', { programs: object.programs.size, maps_taken_over: object.reused.length })
  return partsOf(options, duties, object, pins, detector)
}

function partsOf(
  { config, log }: AgentOptions,
  duties: NodeDuties,
  object: BpfObject,
  pins: PinDirectories,
  detector: Parts['detector'],
): Parts {
  const { maps, close } = mapsOf(object.maps)
  const control = new ControlMap(maps.control)
  control.stamp()
  const dataplane = new Dataplane({
    tables: liveTables(maps),
    seed: config.seed,
    answerPing: config.answerPing,
    onFault: (error, failures) => {
      duties.onFault()
      log('error', 'a write to the maps failed and is tried again', { failures, reason: String(error) })
    },
  })
  dataplane.restore()
  const serves = (id: number, address: Uint8Array, port: number) => {
    if (id === 0 || id >= maps.backends.length) return false
    const backend = maps.backends.get(id)
    const serving = (backend.flags & BackendFlags.BE_F_SERVING) !== 0
    return serving && backend.port === port && sameAddress(backend.addr, address)
  }
  const sweeper = new Sweeper({
    flows: maps.flows,
    filter: maps.filter.words,
    bits: dataplane.state.bits,
    serves,
    now: monotonicNs,
  })
  const attacher = new Attacher({
    programs: object.programs,
    xdp: config.xdp,
    directory: pins.links,
    onError: (context, error) => log('error', 'cannot attach', { what: context, reason: String(error) }),
  })
  const closeAll = () => {
    close()
    object.close()
  }
  return { maps, control, dataplane, attacher, sweeper, serves, detector, close: closeAll }
}

function mebibytes(bytes: number): number {
  return Math.round((bytes / 1024 / 1024) * 10) / 10
}
