// SPDX-License-Identifier: Apache-2.0
/** A raw core/v1 Pod, checked and trimmed to what endpoints and the lab need of it. */
import { defined, type Fields } from '../model/fields.ts'
import { canonicalAddress } from '../model/ip.ts'
import { normalizeMetadata } from '../model/normalize-metadata.ts'
import type { Metadata, Protocol } from '../model/types.ts'

export interface ContainerPort {
  /** '' when unnamed. */
  readonly name: string
  readonly containerPort: number
  readonly protocol: Protocol
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly ports: readonly ContainerPort[]
}

export interface PodSpec {
  readonly nodeName?: string
  readonly hostNetwork: boolean
  readonly hostname?: string
  readonly subdomain?: string
  /** Containers, then sidecars (init containers that are always restarted): the order in which a port's name is looked up. */
  readonly containers: readonly Container[]
}

export interface Pod {
  readonly metadata: Metadata
  readonly spec: PodSpec
  readonly status: {
    readonly phase?: string
    /** Canonical. */
    readonly podIPs: readonly string[]
    /** Condition Ready. A Pod written by hand, with addresses and without any condition, is ready. */
    readonly ready: boolean
  }
}

/** Throws FieldError. */
export function normalizePod(object: Fields): Pod {
  const metadata = normalizeMetadata(object, 'Namespaced', 'subdomain')
  const status = object.object('status')
  return {
    metadata,
    spec: normalizePodSpec(object.object('spec')),
    status: defined<Pod['status']>({
      phase: status.string('phase'),
      podIPs: readPodIPs(status),
      ready: isReady(status),
    }),
  }
}

/** Throws FieldError. Also the template of a workload has one. */
export function normalizePodSpec(spec: Fields): PodSpec {
  const sidecars = spec.objects('initContainers').filter((container) => container.string('restartPolicy') === 'Always')
  return defined<PodSpec>({
    nodeName: spec.string('nodeName') || undefined,
    hostNetwork: spec.boolean('hostNetwork') ?? false,
    hostname: spec.string('hostname') || undefined,
    subdomain: spec.string('subdomain') || undefined,
    containers: [...spec.objects('containers'), ...sidecars].map(readContainer),
  })
}

function readContainer(container: Fields): Container {
  return {
    name: container.requiredString('name'),
    image: container.string('image') ?? '',
    ports: container.objects('ports').map((port) => ({
      name: port.string('name') ?? '',
      containerPort:
        port.integer('containerPort', 1, 65_535) ?? port.fail('containerPort', 'Required value is missing'),
      protocol: port.oneOf('protocol', ['TCP', 'UDP', 'SCTP'] as const) ?? 'TCP',
    })),
  }
}

function readPodIPs(status: Fields): string[] {
  const podIP = status.string('podIP')
  const read = (fields: Fields, name: string, text: string) =>
    canonicalAddress(text) ?? fields.fail(name, `Expected an IP address, got '${text}'`)
  const podIPs = status.objects('podIPs').map((entry) => read(entry, 'ip', entry.requiredString('ip')))
  return podIPs.length > 0 || !podIP ? podIPs : [read(status, 'podIP', podIP)]
}

function isReady(status: Fields): boolean {
  if (status.raw('conditions') === undefined) return true
  return status
    .objects('conditions')
    .some((entry) => entry.string('type') === 'Ready' && entry.string('status') === 'True')
}
