// SPDX-License-Identifier: Apache-2.0
/**
 * The lab: a small cluster in network namespaces. Nodes behind a fabric, pods behind each node, a client outside;
 * every node with its own agent, cgroup and pins. Its traffic never leaves its namespaces.
 */

import { mkdir } from 'node:fs/promises'
import { ensurePinDirectory } from '../bpf/bpffs.ts'
import type { ObjectSet } from '../model/types.ts'
import { type AgentOptions, Agents } from './agents.ts'
import { ApiObjects } from './api-objects.ts'
import { createCgroup } from './cgroup.ts'
import { ClientProcess, type Connection } from './client-process.ts'
import type { ClientAnswer, ClientQuestion, ClientTarget } from './client-protocol.ts'
import type { CniName } from './cni.ts'
import { dnsPod, dnsService } from './dns-service.ts'
import { enter, type Place } from './enter.ts'
import { FolderObjects } from './folder-objects.ts'
import { LabError } from './lab-error.ts'
import { kubectlWrapper, type LabNames, labNames, namespaceName, newLabName, pinsFolder, placeOf } from './lab-names.ts'
import type { LabObjects } from './lab-objects.ts'
import { thisProcess, writeLabRecord } from './lab-record.ts'
import type { ManifestObject, ObjectName } from './manifest.ts'
import { inNamespace, ipBatch, setUpNamespace } from './namespace.ts'
import { type LabNode, labNodes, nodeManifest } from './nodes.ts'
import type { LabPod } from './pod.ts'
import { readPodPlaces } from './pod-places.ts'
import { Pods } from './pods.ts'
import { type RunOptions, type RunResult, run, runChecked } from './run.ts'
import { startCluster } from './start-cluster.ts'
import { takeDown, takeDownAbandoned } from './take-down.ts'
import {
  controlPlaneLinks,
  controlPlanePortSetup,
  controlPlaneSetup,
  fabricSetup,
  nodeMachineSetup,
  outsideSetup,
  topologyLinks,
} from './topology.ts'
import { Workloads } from './workloads.ts'

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
  /** The folder that every agent watches, unless the lab has an API server. */
  readonly manifests: string
  /** Path of a kubectl, where the lab has an API server. */
  readonly kubectl: string | undefined
  readonly cni: CniName
  readonly nodes: readonly LabNode[]
  /**
   * By the names of their places, those of an API server not among them. Each node has a client pod: `client-a` on
   * `node-a`.
   */
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
  /** What the agents follow, as it is now. */
  objects(): Promise<ObjectSet>
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
  readonly #objects: LabObjects

  constructor(names: LabNames, options: LabOptions) {
    this.#names = names
    this.#options = options
    this.cni = options.cni ?? 'routed'
    this.nodes = labNodes(names, options.nodes ?? ['node-a', 'node-b'])
    this.pods = new Pods(this.cni, names, this.nodes, options.dns ?? false)
    this.agents = new Agents(names, options)
    this.#objects =
      this.kubectl === undefined
        ? new FolderObjects(names.manifests, new Workloads(this.nodes, this.pods, this.agents))
        : new ApiObjects(this.kubectl)
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

  get kubectl(): string | undefined {
    return this.#options.cluster === true ? kubectlWrapper(this.#names) : undefined
  }

  async bringUp(): Promise<void> {
    // Agents have mounts of their own: a bpffs that one of them mounted would be seen by nobody else.
    ensurePinDirectory(pinsFolder)
    await this.#record()
    await mkdir(this.manifests, { recursive: true })
    const places = [...this.nodes.map(({ place }) => place), ...this.#machines().map(this.#place)]
    await Promise.all(places.map(({ cgroup }) => createCgroup(cgroup)))
    await this.#wire()
    if (this.kubectl === undefined) {
      await this.apply(...this.nodes.map(nodeManifest))
      await this.pods.create(this.nodes.map(({ name }) => ({ name: clientOf(name), node: name })))
    } else {
      await startCluster(
        this.#names,
        this.cni,
        this.nodes.map(({ name }) => name),
      )
    }
    const agents = this.#options.agents === false ? [] : this.nodes.map((node) => this.agents.start(node))
    const clients = this.kubectl === undefined ? [] : [this.apply(...this.nodes.map(clientManifest))]
    await Promise.all([...agents, ...clients, ...(this.#options.dns === true ? [this.#startDns()] : [])])
    await this.#record()
  }

  async #startDns(): Promise<void> {
    await this.apply(dnsService)
    await this.pods.create([dnsPod(this.manifests, this.nodes[0]?.name ?? '')])
  }

  async #wire(): Promise<void> {
    const { rpFilter = 1, bridgeNetfilter = true } = this.#options
    const count = this.nodes.length
    const namespace = (place: string) => namespaceName(this.name, place)
    const nodes = this.nodes.map(({ name }) => name)
    const cluster = this.kubectl !== undefined
    await ipBatch([...topologyLinks(namespace, nodes), ...(cluster ? controlPlaneLinks(namespace) : [])])
    await Promise.all([
      setUpNamespace(namespace('fabric'), fabricSetup(count)),
      setUpNamespace(namespace('outside'), outsideSetup()),
      ...(cluster ? [setUpNamespace(namespace('control-plane'), controlPlaneSetup())] : []),
      ...this.nodes.map(({ place, index }) =>
        setUpNamespace(place.namespace, nodeMachineSetup(this.cni, index, count, { rpFilter, bridgeNetfilter })),
      ),
    ])
    if (cluster) await setUpNamespace(namespace('fabric'), controlPlanePortSetup())
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
    return run(enter(await this.#find(where), argv), options)
  }

  async request(where: Where, target: ClientTarget, question?: ClientQuestion): Promise<ClientAnswer> {
    await using connection = await this.open(where, target)
    return await connection.ask(question)
  }

  async open(where: Where, target: ClientTarget): Promise<Connection> {
    const known = this.#clients.get(where)
    if (known !== undefined) return await known.open(target)
    const place = await this.#find(where)
    // Somebody else may have started it meanwhile.
    const client = this.#clients.get(where) ?? new ClientProcess(place)
    this.#clients.set(where, client)
    return await client.open(target)
  }

  async apply(...objects: ManifestObject[]): Promise<void> {
    await this.#objects.apply(objects)
    await this.#record()
  }

  async delete(object: ObjectName): Promise<void> {
    await this.#objects.delete(object)
  }

  async objects(): Promise<ObjectSet> {
    return await this.#objects.read()
  }

  async scale(workload: string, replicas: number): Promise<void> {
    await this.#objects.scale(workload, replicas)
    const places = await this.#places()
    for (const where of this.#clients.keys()) {
      if (!(where in places)) this.#clients.delete(where)
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
    this.pods.leave()
  }

  async close(): Promise<void> {
    this.leave()
    await takeDown(this.name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #find(where: Where): Promise<Place> {
    const place = (await this.#places())[where]
    if (place === undefined) throw new LabError('LAB_NOT_FOUND', `the lab has no place ${where}`)
    return place
  }

  /** Machines that are no nodes. */
  #machines(): string[] {
    return ['outside', 'fabric', ...(this.kubectl === undefined ? [] : ['control-plane'])]
  }

  readonly #place = (name: string): Place => placeOf(this.#names, name)

  async #places(): Promise<Record<string, Place>> {
    const machines = this.#machines().map((name) => [name, this.#place(name)] as const)
    const nodes = this.nodes.map(({ name, place }) => [name, place] as const)
    const pods = [...this.pods.all].map(([name, { place }]) => [name, place] as const)
    return { ...Object.fromEntries([...machines, ...nodes, ...pods]), ...(await readPodPlaces(this.folder)) }
  }

  async #record(): Promise<void> {
    const nodes = this.nodes.map(({ name }) => name)
    const keep = this.#options.keep ?? false
    await writeLabRecord(this.#names, {
      lab: this.name,
      cni: this.cni,
      nodes,
      owner: await thisProcess(),
      keep,
      places: await this.#places(),
    })
  }
}

function clientOf(node: string): string {
  return node.replace('node', 'client')
}

function clientManifest({ name }: LabNode): ManifestObject {
  const containers = [{ name: 'client', image: 'maglane/client' }]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: clientOf(name) },
    spec: { nodeName: name, containers, terminationGracePeriodSeconds: 0 },
  }
}
