// SPDX-License-Identifier: Apache-2.0
/**
 * A node without a network: the shipped programs on maps of their own, which the product's own model, compiler and
 * dataplane fill, run on packets of the test's making.
 */

import { join } from 'node:path'
import { type Address, formatEndpoint, parseAddress } from '../../../src/abi/address.ts'
import { parseCidr } from '../../../src/abi/cidr.ts'
import {
  type Config,
  type Event,
  Hook,
  type ReasonCount,
  Reason as reasons,
  type ServiceStat,
  SocketLb,
} from '../../../src/abi/generated.ts'
import { type Maps, mapsOf, type OpenMaps } from '../../../src/bpf/maps.ts'
import { type BpfObject, loadObject } from '../../../src/bpf/object.ts'
import { ProgramRunner } from '../../../src/bpf/prog-run.ts'
import { skbContext, xdpContext } from '../../../src/bpf/run-context.ts'
import { Dataplane } from '../../../src/dataplane/dataplane.ts'
import { liveTables } from '../../../src/dataplane/live-tables.ts'
import { type Model, updateModel } from '../../../src/model/model.ts'
import { type NodeContextInput, nodeContext } from '../../../src/model/node-context.ts'
import type { NodeContext, ObjectSet } from '../../../src/model/types.ts'
import { here, objectsOf, type ServiceSketch } from './objects.ts'
import type { Packet } from './packet.ts'

export const maglaneObject = join(import.meta.dirname, '../../../bpf/dist/maglane.bpf.o')

export const packetPrograms = ['xdp_net', 'tc_net_in', 'tc_net_out', 'tc_pod_in', 'tc_pod_out'] as const
export type PacketProgram = (typeof packetPrograms)[number]
export type Reason = Exclude<keyof typeof reasons, 'REASON_MAX'>

const reasonOf = new Map<number, Reason>(Object.entries(reasons).map(([name, value]) => [value, name as Reason]))

/** The addresses of the node under test, which routes are told to name as a source. */
export const nodeIp4 = '192.168.0.1'
export const nodeIp6 = 'fd00:192::1'

export const testSeed = 0x6d61676c

/** Small enough to load in a moment. */
const mapSizes = {
  ...{ arena: 65536, backends: 4096, members: 4096, services: 1024, service_stats: 1024, source_ranges: 1024 },
  ...{ frontends: 4096, flows: 8192, frags: 1024, affinities: 4096, sockets: 64, devices: 64 },
}

export const noConfig = {
  ...{ seed: testSeed, snatPortMin: 1024, snatPortMax: 29_999, socketLb: SocketLb.SOCKET_LB_OFF },
  ...{ masqueradeAll: 0, haveFibSrc: 1, haveSetRetval: 1, synthetic: 1, trace: 0 },
  // What conntrack knows belongs to the machine; see the story of a tuple in use.
  ...{ detectByDevice: 0, inClusterLen: 0, haveConntrack: 0 },
  ...{ syntheticSrc4: parseAddress(nodeIp4), syntheticSrc6: parseAddress(nodeIp6) },
} satisfies Partial<Config>

export interface NodeOptions {
  /** Knobs that differ from {@link noConfig}. */
  readonly config?: Partial<Config>
  readonly programs?: readonly PacketProgram[]
  readonly answerPing?: boolean
  readonly maxEntries?: Readonly<Record<string, number>>
  readonly context?: Partial<NodeContextInput>
  /** Milliseconds, for the ids' and regions' rest. */
  readonly now?: () => number
}

/** What a hook did with a packet. */
export interface Outcome {
  /** `back`: out of the device that it came from; `redirect`: to a device by bpf_redirect(), which may be the same. */
  readonly action: 'pass' | 'drop' | 'back' | 'redirect'
  readonly reason: Reason
  /** As the hook left it. */
  readonly packet: Uint8Array
  readonly event: Event
  /** `10.1.0.5:8080`, undefined when the packet has none. */
  readonly backend: string | undefined
}

export interface RunOn {
  /** The device that the hook is on. Default: loopback. */
  readonly ifindex?: number
  /** tc: the device that the packet came in by, 0 for one of the node itself. Default 0 at tc_net_out, loopback else. */
  readonly ingressIfindex?: number
}

const LOOPBACK_IFINDEX = 1

export class TestNode implements Disposable {
  readonly maps: Maps
  readonly dataplane: Dataplane
  readonly programs: ReadonlyMap<string, number>
  readonly #object: BpfObject
  readonly #open: OpenMaps
  readonly #runner = new ProgramRunner()
  readonly #context: NodeContext
  #model: Model | undefined

  constructor(options: NodeOptions = {}) {
    this.#object = loadObject({
      object: maglaneObject,
      programs: options.programs ?? packetPrograms,
      maxEntries: { ...mapSizes, ...options.maxEntries },
      config: { ...noConfig, ...options.config },
    })
    this.#open = mapsOf(this.#object.maps)
    this.maps = this.#open.maps
    this.programs = new Map([...this.#object.programs].map(([name, { fd }]) => [name, fd]))
    this.maps.control.set(0, { ...this.maps.control.get(0), events: 2n ** 64n - 1n })
    this.dataplane = new Dataplane({
      tables: liveTables(this.maps),
      seed: options.config?.seed ?? testSeed,
      answerPing: options.answerPing ?? false,
      ...(options.now ? { now: options.now } : {}),
    })
    this.#context = nodeContext({
      nodeName: here,
      addresses: [nodeIp4, nodeIp6],
      nodePortAddresses: [],
      localhostNodePorts: true,
      ...options.context,
    })
  }

  /** Makes these the Services of the cluster, by way of the product's model, compiler and dataplane. */
  async apply(...sketches: readonly ServiceSketch[]): Promise<void> {
    await this.applyObjects(objectsOf(sketches), this.#context)
  }

  async applyObjects(objects: ObjectSet, context: NodeContext): Promise<Model> {
    this.#model = updateModel(this.#model, objects, context)
    const { failures } = await this.dataplane.sync(this.#model.plans)
    if (failures[0]) throw failures[0]
    return this.#model
  }

  /** The ServiceCIDRs of the cluster. */
  setServiceCidrs(...cidrs: readonly string[]): void {
    const parsed = cidrs.map(parseCidr)
    this.maps.control.set(0, {
      ...this.maps.control.get(0),
      serviceCidrsLen: cidrs.length,
      serviceCidrs: parsed.map(({ address, mask }) => ({ addr: address, mask })),
    })
  }

  /** Runs a hook's program on a packet. Every packet has exactly one reason, or this throws. */
  run(program: PacketProgram, packet: Packet | Uint8Array, on: RunOn = {}): Outcome {
    const fd = this.programs.get(program)
    if (fd === undefined) throw new Error(`${program} is not loaded`)
    const bytes = packet instanceof Uint8Array ? packet : packet.bytes()
    const result = this.#runner.run(fd, { packet: bytes, context: contextOf(program, bytes, on) })
    const events = this.maps.events.drain()
    const [event] = events
    if (event === undefined || events.length > 1) throw new Error(`${program}: ${events.length} reasons for one packet`)
    if (event.hook !== hookOf[program]) throw new Error(`${program} says that it is hook ${event.hook}`)
    return {
      action: actionOf(program, result.verdict),
      reason: reasonOf.get(event.reason)!,
      packet: result.packet.slice(),
      event,
      backend: event.backend === 0 ? undefined : this.backend(event.backend),
    }
  }

  /** `10.1.0.5:8080` of a backend's id. */
  backend(id: number): string {
    const { addr, port } = this.maps.backends.get(id)
    return formatEndpoint(addr, port)
  }

  /** Packets and bytes by reason, those that have none left out. */
  counters(): Partial<Record<Reason, ReasonCount>> {
    const counted = [...this.maps.reasons.sums()].filter(([, { packets }]) => packets > 0n)
    return Object.fromEntries(counted.map(([index, count]) => [reasonOf.get(index)!, count]))
  }

  /** Packets by reason. */
  packetCounts(): Partial<Record<Reason, number>> {
    return Object.fromEntries(Object.entries(this.counters()).map(([name, { packets }]) => [name, Number(packets)]))
  }

  /** Traffic of a Service port, by `ns/name:port` or `ns/name`. */
  stat(service: string): ServiceStat {
    for (const [id, { namespace, name, portName }] of this.maps.services.entries()) {
      if (service === `${namespace}/${name}${portName === '' ? '' : `:${portName}`}`) {
        return this.maps.service_stats.sum(id)
      }
    }
    throw new Error(`No Service port ${service} in the maps`)
  }

  device(ifindex: number, flags: number, more: { master?: number; mac?: readonly number[] } = {}): void {
    const none = new Uint8Array(16) as Address
    const { master = 0, mac = [] } = more
    this.maps.devices.set(ifindex, { flags, master, addr4: none, addr6: none, mac })
  }

  /** Forgets flows, fragments, affinities and counts; Services stay. */
  reset(): void {
    this.maps.flows.clear()
    this.maps.frags.clear()
    this.maps.affinities.clear()
    for (let reason = 0; reason < reasons.REASON_MAX; reason++) this.maps.reasons.clear(reason)
    for (const [id] of [...this.maps.services.entries()]) this.maps.service_stats.clear(id)
    this.maps.events.drain()
  }

  close(): void {
    this.#runner.close()
    this.#open.close()
    this.#object.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

export const hookOf: Readonly<Record<PacketProgram, number>> = {
  xdp_net: Hook.HOOK_XDP,
  tc_net_in: Hook.HOOK_TC_NET_IN,
  tc_net_out: Hook.HOOK_TC_NET_OUT,
  tc_pod_in: Hook.HOOK_TC_POD_IN,
  tc_pod_out: Hook.HOOK_TC_POD_OUT,
}

const contexts = new Map<string, Uint8Array>()

function contextOf(program: PacketProgram, packet: Uint8Array, on: RunOn): Uint8Array {
  const ifindex = on.ifindex ?? LOOPBACK_IFINDEX
  const ingressIfindex = on.ingressIfindex ?? (program === 'tc_net_out' ? 0 : LOOPBACK_IFINDEX)
  const key = program === 'xdp_net' ? `${packet.length} ${ifindex}` : `${ifindex},${ingressIfindex}`
  const known = contexts.get(key)
  if (known) return known
  const context =
    program === 'xdp_net'
      ? xdpContext({ packetLength: packet.length, ingressIfindex: ifindex })
      : skbContext({ ifindex, ingressIfindex })
  contexts.set(key, context)
  return context
}

// linux/bpf.h: enum xdp_action; linux/pkt_cls.h: TC_ACT_*.
const xdpActions: Readonly<Record<number, Outcome['action']>> = { 1: 'drop', 2: 'pass', 3: 'back', 4: 'redirect' }
const tcActions: Readonly<Record<number, Outcome['action']>> = { 4294967295: 'pass', 2: 'drop', 7: 'redirect' }

function actionOf(program: PacketProgram, verdict: number): Outcome['action'] {
  const action = (program === 'xdp_net' ? xdpActions : tcActions)[verdict]
  if (action === undefined) throw new Error(`${program} returned ${verdict}`)
  return action
}
