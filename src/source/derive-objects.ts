// SPDX-License-Identifier: Apache-2.0
/** What a cluster's controllers would make of the manifests: addresses, ports, EndpointSlices. */
import { isDeepStrictEqual } from 'node:util'
import { objectKey } from '../model/normalize-metadata.ts'
import { serviceKeyOfSlice } from '../model/slice-index.ts'
import type { EndpointSlice, IpFamily, Metadata, ObjectError, ObjectSet, Service } from '../model/types.ts'
import { allocateServices, DEFAULT_NODE_PORT_RANGE, DEFAULT_SERVICE_CIDRS } from './controllers/allocate-services.ts'
import { type Allocations, allocationsOf } from './controllers/allocations.ts'
import { serviceFamilies } from './controllers/ip-families.ts'
import { mirrorEndpoints } from './controllers/mirror-endpoints.ts'
import { PodIndex } from './controllers/pod-index.ts'
import { selectPods } from './controllers/select-pods.ts'
import type { ManifestKind, ManifestObject, ObjectTypes } from './parse-manifest.ts'
import type { Pod } from './pod.ts'
import type { Workload } from './workload.ts'

/** All that a folder of manifests says, completed. */
export interface Manifests {
  readonly objects: ObjectSet
  readonly pods: ReadonlyMap<string, Pod>
  /** By `Deployment namespace/name`: somebody else's to run; their Pods come back as Pod manifests. */
  readonly workloads: ReadonlyMap<string, Workload>
  readonly errors: readonly ObjectError[]
  /** What is left aside without being wrong. */
  readonly notes: readonly string[]
  readonly allocations: Allocations
}

export interface DeriveOptions {
  /** Ranges that ClusterIPs are taken from where no ServiceCIDR object names any; default {@link DEFAULT_SERVICE_CIDRS}. */
  readonly serviceCidrs?: readonly string[]
  /** Inclusive; default {@link DEFAULT_NODE_PORT_RANGE}. */
  readonly nodePortRange?: { readonly min: number; readonly max: number }
  /** What Services were given before; they keep it. */
  readonly allocations?: Allocations
}

/** An object and the file that it was read from. */
export interface SourcedObject extends ManifestObject {
  readonly source: string
}

/**
 * @param found Each object once.
 * @param previous The last result: what did not change stays the same object.
 */
export function deriveObjects(
  found: readonly SourcedObject[],
  options: DeriveOptions,
  previous?: Manifests,
): Omit<Manifests, 'notes'> {
  const all = byKind(found)
  const nodes = keepMap(previous?.objects.nodes, all.Node)
  const serviceCIDRs = all.ServiceCIDR
  const pods = all.Pod
  const cidrs = [...serviceCIDRs.values()].flatMap(({ spec }) => spec.cidrs)
  const serviceCidrs = cidrs.length > 0 ? cidrs : (options.serviceCidrs ?? DEFAULT_SERVICE_CIDRS)
  const allocated = allocateServices(all.Service, {
    serviceCidrs,
    nodePortRange: options.nodePortRange ?? DEFAULT_NODE_PORT_RANGE,
    previous: previous?.allocations ?? options.allocations ?? {},
  })
  const services = keepUnchanged(previous?.objects.services, allocated.services)
  const slices = new Map(all.EndpointSlice)
  const sliced = new Set(Array.from(slices.values(), serviceKeyOfSlice))
  const podIndex = new PodIndex(pods.values())
  const available = [...new Set(serviceCidrs.map((cidr) => (cidr.includes(':') ? 'IPv6' : 'IPv4')))]
  const made = [
    ...[...services]
      .filter(([key]) => !sliced.has(key))
      .flatMap(([, service]) => sliceService(service, available, podIndex, nodes)),
    ...[...all.Endpoints]
      .filter(([key]) => !sliced.has(key))
      .flatMap(([key, endpoints]) => mirrorEndpoints(endpoints, services.get(key))),
  ]
  for (const slice of made) if (!slices.has(objectKey(slice.metadata))) slices.set(objectKey(slice.metadata), slice)
  const endpointSlices = keepUnchanged(previous?.objects.endpointSlices, slices)
  const workloads = new Map<string, Workload>()
  for (const kind of ['Deployment', 'ReplicaSet'] as const)
    for (const [key, workload] of all[kind]) workloads.set(`${kind} ${key}`, workload)
  return {
    objects: { services, endpointSlices, nodes, serviceCIDRs, origins: all.origins },
    pods,
    workloads,
    errors: allocated.errors.map((error) => ({ source: all.origins.get(error.object) ?? '', ...error })),
    allocations: allocationsOf(services),
  }
}

interface Sliced {
  readonly families: readonly IpFamily[]
  readonly pods: readonly Pod[]
  readonly nodes: ObjectSet['nodes']
  readonly slices: EndpointSlice[]
}

/** The last slices of a Service: the same objects again for the same Pods, of which most Services' do not change. */
const lastSliced = new WeakMap<Service, Sliced>()

function sliceService(
  service: Service,
  available: readonly IpFamily[],
  podIndex: PodIndex,
  nodes: ObjectSet['nodes'],
): EndpointSlice[] {
  const { type, selector } = service.spec
  if (type === 'ExternalName' || !selector) return []
  const pods = podIndex.select(service.metadata.namespace, selector)
  const { families } = serviceFamilies(service, available)
  const last = lastSliced.get(service)
  if (last && last.nodes === nodes && sameItems(last.families, families) && sameItems(last.pods, pods))
    return last.slices
  const slices = selectPods(service, families, pods, nodes)
  lastSliced.set(service, { families, pods, nodes, slices })
  return slices
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}

type ByKind = { readonly [K in ManifestKind]: Map<string, ObjectTypes[K]> } & { readonly origins: Map<string, string> }

function byKind(found: readonly SourcedObject[]): ByKind {
  const origins = new Map<string, string>()
  const all: ByKind = {
    Service: new Map(),
    EndpointSlice: new Map(),
    Node: new Map(),
    ServiceCIDR: new Map(),
    Endpoints: new Map(),
    Pod: new Map(),
    Deployment: new Map(),
    ReplicaSet: new Map(),
    origins,
  }
  for (const { kind, name, object, source } of found) {
    const objects: Map<string, ObjectTypes[ManifestKind]> = all[kind]
    // A name is the kind, a blank and the key.
    objects.set(name.slice(kind.length + 1), object)
    if (kind === 'Service') origins.set(name, source)
  }
  return all
}

/** The map itself stays where all its objects do. */
function keepMap<T>(
  previous: ReadonlyMap<string, T> | undefined,
  next: ReadonlyMap<string, T>,
): ReadonlyMap<string, T> {
  const same = previous?.size === next.size && Array.from(next).every(([key, object]) => previous.get(key) === object)
  return previous && same ? previous : next
}

/** Made objects are made anew each time; what equals its predecessor is replaced by it, for who compares by identity. */
function keepUnchanged<T extends { readonly metadata: Metadata }>(
  previous: ReadonlyMap<string, T> | undefined,
  next: ReadonlyMap<string, T>,
): ReadonlyMap<string, T> {
  if (!previous) return next
  return new Map(
    Array.from(next, ([key, object]) => {
      const before = previous.get(key)
      return [key, before !== undefined && before !== object && isDeepStrictEqual(before, object) ? before : object]
    }),
  )
}
