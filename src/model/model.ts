// SPDX-License-Identifier: Apache-2.0
/** All Services' plans, kept so that one object's change costs only the Services it concerns. */
import { isDeepStrictEqual } from 'node:util'
import { FrontendClaims, type LostFrontend } from './frontend-claims.ts'
import { planService } from './service-plan.ts'
import { SliceIndex } from './slice-index.ts'
import type { EndpointSlice, NodeContext, ObjectError, ObjectSet, Service, ServicePlan } from './types.ts'

/** What a source replaced: an object that is new has no `before`, one that is gone no `after`. */
export interface ObjectChange<T> {
  readonly before: T | undefined
  readonly after: T | undefined
}

export interface ObjectChanges {
  readonly services: readonly ObjectChange<Service>[]
  readonly slices: readonly ObjectChange<EndpointSlice>[]
}

export interface Model {
  /**
   * By `namespace/name`. The map lives on: the next update changes this same map. A plan is never changed, and one that
   * is equal to before is the same object as before.
   */
  readonly plans: ReadonlyMap<string, ServicePlan>
  /** Frontends that a Service lost to another. */
  readonly errors: readonly ObjectError[]
  /** `namespace/name` of the Services whose plan is new, other or gone since the previous model. */
  readonly changed: ReadonlySet<string>
  /** Objects that are other than those of the previous model. */
  readonly changes: ObjectChanges
  readonly state: ModelState
}

/** What the next update builds on; of no use to others. */
interface ModelState {
  readonly node: NodeContext
  readonly services: Map<string, Service>
  readonly slices: Map<string, EndpointSlice>
  readonly index: SliceIndex
  readonly claims: FrontendClaims
  /** Plans before conflicts are resolved. */
  readonly wanted: Map<string, ServicePlan>
  readonly lost: Map<string, readonly LostFrontend[]>
}

/**
 * Brings a model up to date. Objects are compared by identity: a source replaces an object that changed, it never
 * writes into one.
 *
 * @param previous The last model of the same source; it is used up. Undefined: everything is planned.
 */
export function updateModel(previous: Model | undefined, objects: ObjectSet, node: NodeContext): Model {
  const sameNode = previous !== undefined && isDeepStrictEqual(previous.state.node, node)
  const state: ModelState = sameNode ? previous.state : emptyState(node)
  const { dirty, ...taken } = readChanges(state, objects)
  const changes = sameNode || previous === undefined ? taken : changesSince(previous.state, objects)
  const plans = (previous?.plans ?? new Map()) as Map<string, ServicePlan>
  if (previous && !sameNode) for (const key of previous.plans.keys()) dirty.add(key)

  const unresolved = new Set<string>()
  for (const key of dirty) {
    const others = planOne(state, key)
    if (!others && sameNode) continue
    unresolved.add(key)
    for (const other of others ?? []) unresolved.add(other)
  }
  const changed = new Set<string>()
  for (const key of unresolved) if (resolveOne(state, key, plans)) changed.add(key)
  return { plans, errors: conflictErrors(state, objects), changed, changes, state }
}

function emptyState(node: NodeContext): ModelState {
  return {
    node,
    services: new Map(),
    slices: new Map(),
    index: new SliceIndex(),
    claims: new FrontendClaims(),
    wanted: new Map(),
    lost: new Map(),
  }
}

/** Takes over what differs from the last objects. `dirty` are the Services concerned. */
function readChanges(state: ModelState, objects: ObjectSet): ObjectChanges & { readonly dirty: Set<string> } {
  const dirty = new Set<string>()
  const services: ObjectChange<Service>[] = []
  const slices: ObjectChange<EndpointSlice>[] = []
  takeOver(state.services, objects.services, (key, before, after) => {
    dirty.add(key)
    services.push({ before, after })
  })
  takeOver(state.slices, objects.endpointSlices, (_key, before, after) => {
    for (const key of state.index.replace(before, after)) dirty.add(key)
    slices.push({ before, after })
  })
  return { dirty, services, slices }
}

/** The same for a state that is given up: a node that changed makes every plan anew, but no object another. */
function changesSince(before: ModelState, objects: ObjectSet): ObjectChanges {
  return {
    services: differences(before.services, objects.services),
    slices: differences(before.slices, objects.endpointSlices),
  }
}

function differences<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): ObjectChange<T>[] {
  const changes: ObjectChange<T>[] = []
  for (const [key, object] of after)
    if (before.get(key) !== object) changes.push({ before: before.get(key), after: object })
  for (const [key, object] of before) if (!after.has(key)) changes.push({ before: object, after: undefined })
  return changes
}

/** Walks both maps side by side: as long as the source keeps their order, no key is looked up. */
function takeOver<T>(
  seen: Map<string, T>,
  current: ReadonlyMap<string, T>,
  onChange: (key: string, before: T | undefined, after: T | undefined) => void,
): void {
  const beside = seen.values()
  const found: { key: string; after: T }[] = []
  for (const [key, after] of current) {
    if (beside.next().value !== after && seen.get(key) !== after) found.push({ key, after })
  }
  for (const { key, after } of found) {
    const before = seen.get(key)
    seen.set(key, after)
    onChange(key, before, after)
  }
  if (seen.size === current.size) return
  for (const [key, before] of seen) {
    if (current.has(key)) continue
    seen.delete(key)
    onChange(key, before, undefined)
  }
}

/** Plans one Service again. Undefined: nothing that counts has changed; else the others whose frontends are concerned. */
function planOne(state: ModelState, key: string): ReadonlySet<string> | undefined {
  const service = state.services.get(key)
  const before = state.wanted.get(key)
  const after = service && planService(service, state.index.slicesOf(key), state.node)
  if (isDeepStrictEqual(before, after)) return undefined
  if (after) state.wanted.set(key, after)
  else state.wanted.delete(key)
  return state.claims.replace(before, after)
}

/** Brings one plan of the result up to date; says whether it is another. */
function resolveOne(state: ModelState, key: string, plans: Map<string, ServicePlan>): boolean {
  const wanted = state.wanted.get(key)
  const before = plans.get(key)
  if (!wanted) {
    state.lost.delete(key)
    return plans.delete(key)
  }
  const { plan, lost } = state.claims.resolve(wanted)
  if (lost.length > 0) state.lost.set(key, lost)
  else state.lost.delete(key)
  if (isDeepStrictEqual(plan, before)) return false
  plans.set(key, plan)
  return true
}

function conflictErrors(state: ModelState, objects: ObjectSet): ObjectError[] {
  const errors: ObjectError[] = []
  for (const [key, losses] of state.lost) {
    const object = `Service ${key}`
    for (const { frontend, port, winner } of losses) {
      const field = CLAIM_FIELDS[frontend.kind]
      const message = `${frontend.kind} ${frontend.address} port ${frontend.port} ${port.protocol} belongs to Service ${winner}, which has precedence`
      errors.push({ source: objects.origins?.get(object) ?? 'kubernetes', object, field, message })
    }
  }
  return errors
}

const CLAIM_FIELDS = {
  clusterIP: 'spec.clusterIPs',
  nodePort: 'spec.ports',
  externalIP: 'spec.externalIPs',
  loadBalancerIP: 'status.loadBalancer.ingress',
} as const
