// SPDX-License-Identifier: Apache-2.0
/** Random clusters through model, compiler, dataplane and programs, each packet's fate held against the objects themselves. */

import assert from 'node:assert/strict'
import { parseCidr } from '../../../src/abi/cidr.ts'
import { type Config, FlowFlags } from '../../../src/abi/generated.ts'
import { nodeContext } from '../../../src/model/node-context.ts'
import { normalize } from '../../../src/model/normalize.ts'
import { objectKey } from '../../../src/model/normalize-metadata.ts'
import type { EndpointSlice, NodeContext, ObjectSet, Service } from '../../../src/model/types.ts'
import {
  type Answer,
  type Cluster,
  judgeService,
  type NodePlace,
  type Question,
} from '../../../src/reference/judge-service.ts'
import { here } from '../../bpf/support/objects.ts'
import { packet } from '../../bpf/support/packet.ts'
import { nodeIp4, nodeIp6, type Outcome, type PacketProgram, TestNode } from '../../bpf/support/test-node.ts'
import { Random } from '../random.ts'
import { addresses, clients, nodePorts, randomCluster, servicePorts, turnStates } from './random-cluster.ts'

const PACKETS_A_WORLD = 24
/** Longer than ids and regions rest. */
const WORLD_MS = 60_000
const ZONE = 'z1'
const LOOPBACK = '127.0.0.1'

const cidrs = ['10.0.0.0/8', 'fd00:10::/32']
const inCluster = cidrs.map(parseCidr).map(({ address, mask }) => ({ addr: address, mask }))

/** Knobs are fixed when programs are loaded: a node for each setting. */
const settings: readonly {
  readonly config: Partial<Config>
  readonly place: Pick<NodePlace, 'clusterCidrs' | 'masqueradeAll'>
}[] = [
  { config: {}, place: { clusterCidrs: undefined, masqueradeAll: false } },
  { config: { inClusterLen: 2, inCluster }, place: { clusterCidrs: cidrs, masqueradeAll: false } },
  { config: { inClusterLen: 2, inCluster, masqueradeAll: 1 }, place: { clusterCidrs: cidrs, masqueradeAll: true } },
]

/** nodePortAddresses and localhostNodePorts, and what answers then. */
const nodePortChoices = [
  { entries: [], localhost: true, answer: [nodeIp4, nodeIp6, LOOPBACK] },
  { entries: [], localhost: false, answer: [nodeIp4, nodeIp6] },
  { entries: ['192.168.0.0/24'], localhost: true, answer: [nodeIp4, nodeIp6] },
  { entries: ['10.0.0.0/8'], localhost: true, answer: [nodeIp6] },
  { entries: ['fd00:192::/64', '127.0.0.0/8'], localhost: true, answer: [nodeIp6, LOOPBACK] },
  { entries: ['localhost'], localhost: true, answer: [LOOPBACK] },
  { entries: ['primary'], localhost: true, answer: [nodeIp4, nodeIp6] },
  { entries: ['all'], localhost: true, answer: [nodeIp4, nodeIp6, LOOPBACK] },
] as const

/** What came of it, to see that the worlds are worth their time. */
export type Tally = Record<Answer['verdict'] | 'masqueraded' | 'affine', number>

/**
 * Runs through so many worlds.
 *
 * @throws Error with seed and world where a packet does not get what the objects promise
 */
export async function fuzzWorlds(worlds: number, seed: number): Promise<Tally> {
  using runner = new WorldRunner(new Random(seed))
  for (let world = 0; world < worlds; world++) {
    try {
      await runner.run()
    } catch (error) {
      throw new Error(`world ${world} of MAGLANE_SEED=${seed}`, { cause: error })
    }
  }
  // Worlds in which nothing happens would agree with anything.
  for (const [what, count] of Object.entries(runner.tally)) assert.ok(count > worlds / 10, `${what}: ${count}`)
  return runner.tally
}

class WorldRunner implements Disposable {
  readonly #nodes: readonly TestNode[]
  readonly #random: Random
  #nowMs = 0
  readonly tally: Tally = { forward: 0, reject: 0, drop: 0, pass: 0, masqueraded: 0, affine: 0 }

  constructor(random: Random) {
    this.#random = random
    const programs = ['xdp_net', 'tc_net_in', 'tc_net_out', 'tc_pod_in'] as const
    this.#nodes = settings.map(({ config }) => new TestNode({ config, programs, now: () => this.#nowMs }))
  }

  /** Makes a world of the one before, by the product's own transaction. @throws AssertionError with the world in its message */
  async run(): Promise<void> {
    this.#nowMs += WORLD_MS
    turnStates(this.#random)
    const cluster = randomCluster(this.#random)
    const choice = this.#random.pick(nodePortChoices)
    const index = this.#random.below(settings.length)
    const node = this.#nodes[index]!
    const place: NodePlace = {
      ...{ name: here, zone: ZONE, nodePortAddresses: choice.answer, primaryAddresses: [nodeIp4, nodeIp6] },
      ...settings[index]!.place,
    }
    await node.applyObjects(readObjects(cluster), contextOf(choice))
    node.maps.flows.clear()
    node.maps.affinities.clear()
    const remembered = new Map<string, string>()
    for (let sent = 0; sent < PACKETS_A_WORLD; sent++) {
      const question = this.#question(cluster)
      try {
        this.#ask(node, cluster, place, question, 10_000 + sent, remembered)
      } catch (error) {
        const world = JSON.stringify({ question, place, ...cluster })
        throw new Error(`${(error as Error).message}\n${world}`, { cause: error })
      }
    }
  }

  /** Mostly to a frontend that a Service names. */
  #question({ services }: Cluster): Question {
    const random = this.#random
    const from = random.pick(['pod', 'host', 'external'] as const)
    const { spec, status } = random.pick(services)
    const port = random.pick(spec.ports ?? [])
    const named = [
      ...(spec.clusterIPs ?? []),
      ...(spec.externalIPs ?? []),
      ...(status?.loadBalancer.ingress ?? []).map(({ ip }) => ip),
    ].filter((address) => address !== 'None')
    const known = port !== undefined && named.length > 0 && random.chance(0.85)
    const byNodePort = known && port.nodePort !== undefined && random.chance(0.3)
    const address = byNodePort
      ? random.pick([nodeIp4, nodeIp6, LOOPBACK])
      : known
        ? random.pick(named)
        : random.pick(addresses)
    const family = clients[from].filter((client) => client.includes(':') === address.includes(':'))
    return {
      from,
      client: from === 'host' && address === LOOPBACK ? LOOPBACK : random.pick(family),
      address,
      port: byNodePort ? port.nodePort! : known ? port.port : random.pick([...servicePorts, ...nodePorts, 81]),
      protocol: known ? (port.protocol ?? 'TCP') : random.pick(['TCP', 'UDP', 'SCTP']),
    }
  }

  #ask(
    node: TestNode,
    cluster: Cluster,
    place: NodePlace,
    question: Question,
    clientPort: number,
    remembered: Map<string, string>,
  ): void {
    const expected = judgeService(cluster, place, question)
    const outcome = node.run(this.#hook(question), firstPacket(question, clientPort))
    assert.equal(verdictOf(outcome), expected.verdict)
    this.tally[expected.verdict]++
    if (expected.service !== undefined) {
      assert.equal(node.maps.services.get(outcome.event.service)?.namespace, expected.service.split('/')[0])
      assert.equal(node.maps.services.get(outcome.event.service)?.name, expected.service.split('/')[1])
    }
    if (expected.verdict !== 'forward') return
    const selected = outcome.backend ?? ''
    assert.ok(expected.candidates.includes(selected), `${selected} is none of ${expected.candidates.join(' ')}`)
    assert.deepEqual(programmed(node, question, outcome), expected.candidates)
    if (question.client !== LOOPBACK) {
      const masqueraded = (outcome.event.flags & FlowFlags.FLOW_F_SNAT) !== 0
      assert.equal(masqueraded, expected.masquerades(selected), `masquerade towards ${selected}`)
      if (masqueraded) this.tally.masqueraded++
    }
    if (expected.affinity) this.#staysWithBackend(expected, question, selected, remembered)
  }

  /** A client keeps its backend's address as long as that is among its candidates. */
  #staysWithBackend(expected: Answer, { client }: Question, selected: string, remembered: Map<string, string>): void {
    const address = (name: string) => name.slice(0, name.lastIndexOf(':'))
    const key = `${expected.service} ${client}`
    const before = remembered.get(key)
    if (before !== undefined && expected.candidates.some((candidate) => address(candidate) === before)) {
      assert.equal(address(selected), before, 'affinity')
      this.tally.affine++
    }
    remembered.set(key, address(selected))
  }

  #hook({ from }: Question): PacketProgram {
    if (from === 'pod') return 'tc_pod_in'
    return from === 'host' ? 'tc_net_out' : this.#random.pick(['xdp_net', 'tc_net_in'])
  }

  close(): void {
    for (const node of this.#nodes) node.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function firstPacket({ client, address, port, protocol }: Question, clientPort: number) {
  const base = packet(client, address)
  if (protocol === 'TCP') return base.tcp(clientPort, port)
  return protocol === 'UDP' ? base.udp(clientPort, port).payload(9) : base.sctp(clientPort, port).chunk(1)
}

function verdictOf({ reason }: Outcome): Answer['verdict'] {
  return ({ FORWARD: 'forward', REJECT: 'reject', DROP: 'drop', PASS: 'pass' } as const)[
    reason.split('_')[0] as 'FORWARD' | 'REJECT' | 'DROP' | 'PASS'
  ]
}

/** The backends in the table that the packet's backend was drawn from, sorted. */
function programmed(node: TestNode, { address, port, protocol }: Question, { event }: Outcome): string[] {
  const addr = event.dst
  const frontend = node.maps.frontends.get({ addr, port, proto: event.proto })
  assert.ok(frontend, `no frontend ${address}:${port} ${protocol} in the map`)
  const { offset, slots } = frontend.sets[event.scope]!
  const ids = new Set(node.maps.arena.words.subarray(offset, offset + slots))
  return [...ids].map((id) => node.backend(id)).sort()
}

function readObjects({ services, slices }: Cluster): ObjectSet {
  const readService = (raw: unknown): Service => read('Service', raw)
  const readSlice = (raw: unknown): EndpointSlice => read('EndpointSlice', raw)
  return {
    services: new Map(services.map(readService).map((object) => [objectKey(object.metadata), object])),
    endpointSlices: new Map(slices.map(readSlice).map((object) => [objectKey(object.metadata), object])),
    nodes: new Map(),
    serviceCIDRs: new Map(),
  }
}

function read<K extends 'Service' | 'EndpointSlice'>(kind: K, raw: unknown) {
  const { object, error } = normalize(kind, raw, 'world')
  if (error) throw new Error(`${error.object}: ${error.field}: ${error.message}`)
  return object
}

function contextOf({ entries, localhost }: (typeof nodePortChoices)[number]): NodeContext {
  const context = nodeContext({
    ...{ nodeName: here, addresses: [nodeIp4, nodeIp6], nodePortAddresses: entries, localhostNodePorts: localhost },
  })
  return { ...context, zone: ZONE }
}
