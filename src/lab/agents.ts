// SPDX-License-Identifier: Apache-2.0
/** The nodes' agents as processes. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { clusterCidr } from './address-plan.ts'
import { enterWithSys } from './enter.ts'
import { LabError } from './lab-error.ts'
import { agentKubeconfig, type LabNames, pinFolder } from './lab-names.ts'
import type { LabNode } from './nodes.ts'
import type { LabPod } from './pod.ts'
import { program } from './program.ts'
import { servesAny } from './serving-backends.ts'
import { until } from './until.ts'

// The defaults are those of a large cluster; a lab is small, and several stand side by side on a small machine.
const mapSizes = [
  'frontends=4096',
  'backends=4096',
  'arena=65536',
  'members=4096',
  'source_ranges=1024',
  'services=1024',
  'flows=16384',
  'frags=1024',
  'affinities=4096',
  'sockets=16384',
].join()

export interface AgentOptions {
  /** Which processes the socket hooks serve; `off` leaves all to tc and XDP, as for pods of VM runtimes. Default `all`. */
  readonly socketLb?: 'all' | 'host' | 'off'
  /** They follow an API server, not the folder of manifests. Default false. */
  readonly cluster?: boolean
  /** More arguments for every agent. */
  readonly agentArguments?: readonly string[]
}

export class Agents {
  readonly #names: LabNames
  readonly #options: AgentOptions
  readonly #running = new Map<string, ChildProcess>()

  constructor(names: LabNames, options: AgentOptions) {
    this.#names = names
    this.#options = options
  }

  /** Where a node's agent logs. */
  logFile(node: string): string {
    return join(this.#names.folder, `${node}.log`)
  }

  /**
   * Starts a node's agent and waits until it serves. Rejects with LAB_PROCESS_ENDED and the log's end.
   *
   * @param more Arguments for this one alone.
   */
  async start(node: LabNode, more: readonly string[] = []): Promise<void> {
    const sys = join(this.#names.folder, `${node.name}.sys`)
    const readyFile = join(this.#names.folder, `${node.name}.ready`)
    await Promise.all([mkdir(sys, { recursive: true }), rm(readyFile, { force: true })])
    const [command = '', ...args] = enterWithSys(node.place, sys, [...this.#command(node, readyFile), ...more])
    const log = await open(this.logFile(node.name), 'a')
    const child = spawn(command, args, { detached: true, stdio: ['ignore', log.fd, log.fd] })
    await log.close()
    this.#running.set(node.name, child)
    child.unref()
    await until(
      `the agent of ${node.name} is ready`,
      async () => {
        if (child.exitCode !== null || child.signalCode !== null) return true
        return await readFile(readyFile).then(() => true)
      },
      30_000,
    )
    if (child.exitCode !== null || child.signalCode !== null) {
      this.#running.delete(node.name)
      throw new LabError(
        'LAB_PROCESS_ENDED',
        `the agent of ${node.name} ended before it was ready:\n${await this.#lastWords(node.name)}`,
      )
    }
  }

  /** Sends a signal that ends a node's agent, and waits for its end. What it pinned stays. */
  async kill(node: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#running.get(node)
    if (child === undefined) throw new LabError('LAB_NOT_FOUND', `no agent runs on ${node}`)
    this.#running.delete(node)
    child.ref()
    const exit = once(child, 'exit')
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal)
      await exit
    }
  }

  /** Waits until no agent that runs has the pod among its serving backends: nothing new is sent to it any more. */
  async haveForgotten(pod: LabPod): Promise<void> {
    const addresses = Object.values(pod.addresses)
    for (const node of this.#running.keys()) {
      const pins = join(pinFolder(this.#names.lab, node), 'maps')
      await until(`${node} has forgotten pod ${pod.name}`, () => !servesAny(pins, addresses))
    }
  }

  #command(node: LabNode, readyFile: string): string[] {
    return [
      ...program('cli/main'),
      'agent',
      ...(this.#options.cluster === true
        ? ['--kubeconfig', agentKubeconfig(this.#names)]
        : ['--manifests', this.#names.manifests]),
      ...['--node', node.name],
      ...['--instance', node.instance],
      ...['--cgroup', node.place.cgroup],
      ...['--cluster-cidr', `${clusterCidr.ipv4},${clusterCidr.ipv6}`],
      ...['--map-size', mapSizes],
      ...['--socket-lb', this.#options.socketLb ?? 'all'],
      // The lab's wires have a program at their other end.
      ...['--xdp', 'native'],
      ...['--ready-file', readyFile],
      ...(this.#options.agentArguments ?? []),
    ]
  }

  async #lastWords(node: string): Promise<string> {
    return (await readFile(this.logFile(node), 'utf8')).trim().split('\n').slice(-20).join('\n')
  }
}
