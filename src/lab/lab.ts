// SPDX-License-Identifier: Apache-2.0
/**
 * The lab: a small cluster in network namespaces. Nodes behind a fabric, pods behind each node, a client outside;
 * every node with its own agent, cgroup and pins. Its traffic never leaves its namespaces.
 */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ensurePinDirectory } from '../bpf/bpffs.ts'
import { nodeAddress } from './address-plan.ts'
import { type AgentOptions, Agents } from './agents.ts'
import { createCgroup } from './cgroup.ts'
import { ClientProcess, type Connection } from './client-process.ts'
import type { ClientAnswer, ClientQuestion, ClientTarget } from './client-protocol.ts'
import type { CniName } from './cni.ts'
import { dnsPod, dnsService } from './dns-service.ts'
import { enter, type Place } from './enter.ts'
import { LabError } from './lab-error.ts'
import { instanceName, type LabNames, labNames, namespaceName, newLabName, pinsFolder } from './lab-names.ts'
import { thisProcess, writeLabRecord } from './lab-record.ts'
import { deleteManifest, type ManifestObject, type ObjectName, writeManifest } from './manifest.ts'
import { inNamespace, ipBatch, setUpNamespace } from './namespace.ts'
import { type LabNode, nodeManifest } from './nodes.ts'
import type { LabPod } from './pod.ts'
import { Pods } from './pods.ts'
import { type RunOptions, type RunResult, run, runChecked } from './run.ts'
import { takeDown, takeDownAbandoned } from './take-down.ts'
import { fabricSetup, nodeMachineSetup, outsideSetup, topologyLinks } from './topology.ts'
import { isWorkload, Workloads } from './workloads.ts'

export interface LabOptions extends AgentOptions {
  /** Default: a new one, `lab-` and six characters. */
  readonly name?: string
  /** Default `routed`. */
  readonly cni?: CniName
  /** Default `node-a` and `node-b`. */
  readonly nodes?: readonly string[]
  /** Bridged packets pass netfilter (net.bridge.bridge-nf-call-iptables). Default true, as kubeadm demands. */
  readonly bridgeNetfilter?: boolean
  /** Reverse path filter of the nodes. Default 1: strict. */
  readonly rpFilter?: 0 | 1 | 2
  /** Run the DNS Service kube-system/kube-dns, which pods then ask for names. Default false. */
  readonly dns?: boolean
  /** Start an agent on every node. Default true. */
  readonly agents?: boolean
  /** The lab stays up when its owner ends; {@link Lab.close} still takes it down. Default false. */
  readonly keep?: boolean
}

/** Where a client stands: `outside`, a node, or a pod by its place's name (`client-a`). */
export type Where = string

export interface Lab extends AsyncDisposable {
  readonly name: string
  readonly folder: string
  /** The folder that every agent watches. */
  readonly manifests: string
  readonly cni: CniName
  readonly nodes: readonly LabNode[]
  /** By the names of their places. Each node has a client pod: `client-a` on `node-a`. */
  readonly pods: Pods
  readonly agents: Agents
  node(name: string): LabNode
  pod(placeName: string): LabPod
  /** Runs a command in a place, whatever its exit code. */
  exec(where: Where, argv: readonly string[], options?: RunOptions): Promise<RunResult>
  /** One question over a connection of its own. Rejects with a ClientError: ECONNREFUSED, ETIMEDOUT, … */
  request(where: Where, target: ClientTarget, question?: ClientQuestion): Promise<ClientAnswer>
  open(where: Where, target: ClientTarget): Promise<Connection>
  /**
   * Writes objects for the agents to read. Deployments, ReplicaSets and Pods are run first: they are there when it
   * resolves. The agents may still be reading.
   */
  apply(...objects: ManifestObject[]): Promise<void>
  delete(object: ObjectName): Promise<void>
  /** Pods are added ready; pods that go are said to terminate, and end when no agent sends anything to them any more. */
  scale(workload: string, replicas: number): Promise<void>
  /** Makes the fabric route an address to a node, as the owner of a network does for external addresses. */
  route(address: string, node: string): Promise<void>
  /** Ends this process's part, the clients, and leaves all else as it stands: for a lab that is kept. */
  leave(): void
  /** Ends every process and removes all that the lab has put on the machine. */
  close(): Promise<void>
}

/** Brings a lab up. What was made before a failure is removed again. */
export async function createLab(options: LabOptions = {}): Promise<Lab> {
  await takeDownAbandoned()
  const names = await labNames(options.name ?? newLabName())
  const lab = new NamespaceLab(names, options)
  try {
    await lab.bringUp()
    return lab
  } catch (error) {
    await lab.close()
    throw error
  }
}

class NamespaceLab implements Lab {
  readonly cni: CniName
  readonly nodes: readonly LabNode[]
  readonly pods: Pods
  readonly agents: Agents
  readonly #names: LabNames
  readonly #options: LabOptions
  readonly #clients = new Map<Where, ClientProcess>()
  readonly #workloads: Workloads

  constructor(names: LabNames, options: LabOptions) {
    this.#names = names
    this.#options = options
    this.cni = options.cni ?? 'routed'
    this.nodes = (options.nodes ?? ['node-a', 'node-b']).map((name, index) => ({
      name,
      index,
      addresses: nodeAddress(index),
      instance: instanceName(names.lab, name),
      place: this.#place(name),
    }))
    this.pods = new Pods(this.cni, names, this.nodes, options.dns ?? false)
    this.agents = new Agents(names, options)
    this.#workloads = new Workloads(this.nodes, this.pods, this.agents)
  }

  get name(): string {
    return this.#names.lab
  }

  get folder(): string {
    return this.#names.folder
  }

  get manifests(): string {
    return this.#names.manifests
  }

  async bringUp(): Promise<void> {
    // Agents have mounts of their own: a bpffs that one of them mounted would be seen by nobody else.
    ensurePinDirectory(pinsFolder)
    await this.#record()
    await mkdir(this.manifests, { recursive: true })
    const places = [...this.nodes.map(({ place }) => place), this.#place('outside'), this.#place('fabric')]
    await Promise.all(places.map(({ cgroup }) => createCgroup(cgroup)))
    await this.#wire()
    await this.apply(...this.nodes.map(nodeManifest))
    await this.pods.create(this.nodes.map(({ name }) => ({ name: name.replace('node', 'client'), node: name })))
    const agents = this.#options.agents === false ? [] : this.nodes.map((node) => this.agents.start(node))
    await Promise.all([...agents, ...(this.#options.dns === true ? [this.#startDns()] : [])])
    await this.#record()
  }

  async #startDns(): Promise<void> {
    await this.apply(dnsService)
    await this.pods.create([dnsPod(this.manifests, this.nodes[0]?.name ?? '')])
  }

  async #wire(): Promise<void> {
    const { rpFilter = 1, bridgeNetfilter = true } = this.#options
    const count = this.nodes.length
    await ipBatch(
      topologyLinks(
        (place) => namespaceName(this.name, place),
        this.nodes.map(({ name }) => name),
      ),
    )
    await Promise.all([
      setUpNamespace(namespaceName(this.name, 'fabric'), fabricSetup(count)),
      setUpNamespace(namespaceName(this.name, 'outside'), outsideSetup()),
      ...this.nodes.map(({ place, index }) =>
        setUpNamespace(place.namespace, nodeMachineSetup(this.cni, index, count, { rpFilter, bridgeNetfilter })),
      ),
    ])
  }

  node(name: string): LabNode {
    const node = this.nodes.find((candidate) => candidate.name === name)
    if (node === undefined) throw new LabError('LAB_NOT_FOUND', `the lab has no node ${name}`)
    return node
  }

  pod(placeName: string): LabPod {
    const pod = this.pods.all.get(placeName)
    if (pod === undefined) throw new LabError('LAB_NOT_FOUND', `the lab has no pod ${placeName}`)
    return pod
  }

  async exec(where: Where, argv: readonly string[], options?: RunOptions): Promise<RunResult> {
    return run(enter(this.#find(where), argv), options)
  }

  async request(where: Where, target: ClientTarget, question?: ClientQuestion): Promise<ClientAnswer> {
    await using connection = await this.open(where, target)
    return await connection.ask(question)
  }

  async open(where: Where, target: ClientTarget): Promise<Connection> {
    let client = this.#clients.get(where)
    if (client === undefined) {
      client = new ClientProcess(this.#find(where))
      this.#clients.set(where, client)
    }
    return await client.open(target)
  }

  async apply(...objects: ManifestObject[]): Promise<void> {
    for (const object of objects) {
      if (isWorkload(object)) await this.#workloads.apply(object)
      else await writeManifest(this.manifests, object)
    }
    await this.#record()
  }

  async delete(object: ObjectName): Promise<void> {
    await deleteManifest(this.manifests, object)
  }

  async scale(workload: string, replicas: number): Promise<void> {
    await this.#workloads.scale(workload, replicas)
    for (const where of this.#clients.keys()) {
      if (!this.#exists(where)) this.#clients.delete(where)
    }
    await this.#record()
  }

  async route(address: string, node: string): Promise<void> {
    const { ipv4, ipv6 } = this.node(node).addresses
    const via = address.includes(':') ? ipv6 : ipv4
    await runChecked(inNamespace(namespaceName(this.name, 'fabric'), ['ip', 'route', 'replace', address, 'via', via]))
  }

  leave(): void {
    for (const client of this.#clients.values()) client.stop()
    this.#clients.clear()
  }

  async close(): Promise<void> {
    this.leave()
    await takeDown(this.name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #find(where: Where): Place {
    if (where === 'outside' || where === 'fabric') return this.#place(where)
    return this.nodes.find(({ name }) => name === where)?.place ?? this.pod(where).place
  }

  #exists(where: Where): boolean {
    return (
      where === 'outside' ||
      where === 'fabric' ||
      this.nodes.some(({ name }) => name === where) ||
      this.pods.all.has(where)
    )
  }

  #place(name: string): Place {
    return { namespace: namespaceName(this.name, name), cgroup: join(this.#names.cgroup, name) }
  }

  async #record(): Promise<void> {
    const places: Record<string, Place> = { outside: this.#place('outside'), fabric: this.#place('fabric') }
    for (const node of this.nodes) places[node.name] = node.place
    for (const [name, pod] of this.pods.all) places[name] = pod.place
    const nodes = this.nodes.map(({ name }) => name)
    const keep = this.#options.keep ?? false
    await writeLabRecord(this.#names, {
      lab: this.name,
      cni: this.cni,
      nodes,
      owner: await thisProcess(),
      keep,
      places,
    })
  }
}
