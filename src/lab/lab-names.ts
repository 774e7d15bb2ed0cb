// SPDX-License-Identifier: Apache-2.0
/** What a lab's parts are called on the machine; all of it follows from the lab's name, so that it can be taken down. */

import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { cgroupMount } from './cgroup.ts'
import type { Place } from './enter.ts'

/** Where labs keep their folders; gone after a reboot, like the namespaces. */
export const labsFolder = '/run/maglane/lab'

/** Where the agents' pins stand. */
const pinsFolder = '/sys/fs/bpf/maglane'

export interface LabNames {
  readonly lab: string
  /** Manifests, logs, the lab's record. */
  readonly folder: string
  /** The folder that the agents watch. */
  readonly manifests: string
  readonly cgroup: string
}

/** A name that no other lab of this machine has, short enough for people to type. */
export function newLabName(): string {
  return `lab-${randomInt(36 ** 6)
    .toString(36)
    .padStart(6, '0')}`
}

export async function labNames(lab: string): Promise<LabNames> {
  const folder = join(labsFolder, lab)
  return { lab, folder, manifests: join(folder, 'manifests'), cgroup: join(await cgroupMount(), `maglane-${lab}`) }
}

/** The network namespace of a place: a node, a pod, `fabric`, `outside`. */
export function namespaceName(lab: string, place: string): string {
  return `${lab}-${place}`
}

/** A machine of the lab: a node, `fabric`, `outside`, `control-plane`. */
export function placeOf({ lab, cgroup }: LabNames, name: string): Place {
  return { namespace: namespaceName(lab, name), cgroup: join(cgroup, name) }
}

/** How the agents reach the API server, where there is one. */
export function agentKubeconfig({ folder }: LabNames): string {
  return join(folder, 'agent.kubeconfig')
}

/** A program that is kubectl, as the cluster's operator has it. */
export function kubectlWrapper({ folder }: LabNames): string {
  return join(folder, 'bin', 'kubectl')
}

/** The instance name of a node's agent. */
export function instanceName(lab: string, node: string): string {
  return `${lab}-${node}`
}

export function pinFolder(lab: string, node: string): string {
  return join(pinsFolder, instanceName(lab, node))
}

export { pinsFolder }
