// SPDX-License-Identifier: Apache-2.0
/** Makes a tracer of what manifests ask for, or of what an agent has programmed. */

import { formatAddress } from '../abi/address.ts'
import { BackendFlags, type Cidr } from '../abi/generated.ts'
import { viewNode } from '../agent/node-state.ts'
import { programCidrs } from '../agent/program-config.ts'
import { BackendSets } from '../cli/live/backend-sets.ts'
import type { Config } from '../config/config.ts'
import { localDetector } from '../config/local-detector.ts'
import { nodeContext } from '../model/node-context.ts'
import type { NodeContext, ObjectSet, ServicePlan } from '../model/types.ts'
import type { Pod } from '../source/pod.ts'
import { placeByAddress } from './client-place.ts'
import { openLiveCopy } from './live-copy.ts'
import { loadPrivateCopy } from './private-copy.ts'
import type { ProgramCopy } from './program-copy.ts'
import { Tracer } from './trace-answer.ts'
import type { TraceProgram } from './trace-knobs.ts'
import type { ClientPlace, Endpoint } from './trace-packet.ts'

export interface OpenTracer extends Disposable {
  readonly tracer: Tracer
  /** Where a client is that nobody places. */
  readonly placeOf: (source: Endpoint) => ClientPlace
  /** What a person should know before believing the answers, a sentence each. */
  readonly warnings: readonly string[]
  close(): void
}

export interface ManifestWorld {
  readonly plans: ReadonlyMap<string, ServicePlan>
  readonly objects: ObjectSet
  readonly pods: ReadonlyMap<string, Pod>
  readonly config: Config
  readonly context: NodeContext
}

/** Over private maps that hold the plans. */
export async function tracerOfManifests(world: ManifestWorld, programs: readonly TraceProgram[]): Promise<OpenTracer> {
  const { plans, objects, config, context } = world
  const node = objects.nodes.get(config.nodeName)
  const ranges = serviceRanges(objects)
  const { copy, failures } = await loadPrivateCopy(plans, {
    config,
    detector: localDetector(config, node),
    serviceCidrs: ranges.cidrs,
    primaryAddresses: context.primaryAddresses,
    programs,
  })
  const warnings = [...failures.map((failure) => failure.message), ...ranges.warnings]
  if (context.nodeAddresses.length === 0)
    warnings.push(`Node ${config.nodeName} has no address: NodePorts are on none; give it one by --node-ip or a Node`)
  const podCidrs = [...config.clusterCidrs, ...(node?.spec.podCIDRs ?? [])]
  const podAddresses = [...podsHere(world), ...backendsHere(plans.values())]
  return openTracer(copy, {
    ...{ plans, warnings, live: false, masqueradeAll: config.masqueradeAll },
    placeOf: placeByAddress({ nodeAddresses: context.nodeAddresses, podCidrs, podAddresses }),
  })
}

/**
 * Over the maps that an agent has pinned, which are read and not written.
 *
 * @param config The agent's: the maps tell the Services alone.
 */
export async function tracerOfInstance(
  mapsDirectory: string,
  config: Config,
  programs: readonly TraceProgram[],
): Promise<OpenTracer> {
  const addresses = config.nodeIps.length > 0 ? config.nodeIps : (await viewNode(config)).addresses
  const { nodeName, nodePortAddresses, localhostNodePorts } = config
  const context = nodeContext({ nodeName, addresses, nodePortAddresses, localhostNodePorts })
  const copy = openLiveCopy(mapsDirectory, {
    config,
    detector: localDetector(config, undefined),
    primaryAddresses: context.primaryAddresses,
    programs,
  })
  const podAddresses = localBackends(copy)
  return openTracer(copy, {
    ...{ plans: undefined, warnings: [], live: true, masqueradeAll: config.masqueradeAll },
    placeOf: placeByAddress({ nodeAddresses: context.nodeAddresses, podCidrs: config.clusterCidrs, podAddresses }),
  })
}

function openTracer(
  copy: ProgramCopy,
  world: Pick<OpenTracer, 'placeOf' | 'warnings'> & {
    readonly plans: ReadonlyMap<string, ServicePlan> | undefined
    readonly live: boolean
    readonly masqueradeAll: boolean
  },
): OpenTracer {
  const { placeOf, warnings, plans, live, masqueradeAll } = world
  const close = () => copy.close()
  return { tracer: new Tracer({ copy, plans, live, masqueradeAll }), placeOf, warnings, close, [Symbol.dispose]: close }
}

function serviceRanges(objects: ObjectSet): { readonly cidrs: readonly Cidr[]; readonly warnings: readonly string[] } {
  const texts = [...objects.serviceCIDRs.values()].flatMap(({ spec }) => spec.cidrs)
  try {
    return { cidrs: programCidrs('ServiceCIDR', [...new Set(texts)].sort()), warnings: [] }
  } catch (error) {
    return { cidrs: [], warnings: [error instanceof Error ? error.message : String(error)] }
  }
}

function podsHere({ pods, config }: ManifestWorld): string[] {
  return [...pods.values()]
    .filter(({ spec }) => spec.nodeName === config.nodeName)
    .flatMap(({ status }) => [...status.podIPs])
}

function* backendsHere(plans: Iterable<ServicePlan>): Generator<string> {
  for (const { ports } of plans) {
    for (const { frontends } of ports) {
      for (const { internal, external } of frontends) {
        for (const { address, local } of [...internal.backends, ...external.backends]) if (local) yield address
      }
    }
  }
}

function localBackends({ maps }: ProgramCopy): Set<string> {
  const sets = new BackendSets(maps.arena)
  const here = new Set<string>()
  for (const [, frontend] of maps.frontends.entries()) {
    for (const id of frontend.sets.flatMap((set) => sets.backends(set))) {
      const { addr, flags } = maps.backends.get(id)
      if (flags & BackendFlags.BE_F_LOCAL) here.add(formatAddress(addr))
    }
  }
  return here
}
