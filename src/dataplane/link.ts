// SPDX-License-Identifier: Apache-2.0
/** Gives a compiled Service its ids and its places in the arena, keeping those that it has. */

import type { Arena, Region } from '../compiler/arena.ts'
import type { CompiledBackend, CompiledService, CompiledSet } from '../compiler/compiled-service.ts'
import type { IdAllocator } from '../compiler/id-allocator.ts'
import { mapFull } from './dataplane-error.ts'
import { frontendKey } from './entries.ts'
import type { LinkedFrontend, LinkedService, LinkedSet } from './linked-service.ts'

/** Where ids and regions come from. */
export interface Resources {
  readonly services: IdAllocator
  readonly backends: IdAllocator
  readonly sets: IdAllocator
  readonly arena: Arena
  /** `max_entries` of the maps, for messages. */
  readonly limits: {
    readonly services: number
    readonly backends: number
    readonly sets: number
    readonly slots: number
  }
}

/** A table that must be written. */
export interface TableWrite {
  readonly set: CompiledSet
  readonly backends: readonly CompiledBackend[]
  readonly ids: readonly number[]
  readonly region: Region
}

export interface Link {
  readonly linked: LinkedService & { readonly compiled: CompiledService }
  readonly tables: readonly TableWrite[]
  readonly newServices: readonly number[]
  /** Gives back all that this link took; for a link that is not carried out. */
  cancel(): void
}

/** Takes ids and regions, and can give all of them back. */
class Taker {
  readonly #undo: (() => void)[] = []
  readonly #service: string

  constructor(service: string) {
    this.#service = service
  }

  id(allocator: IdAllocator, map: string, limit: number): number {
    const id = allocator.take()
    if (id === undefined) throw mapFull(this.#service, map, 1, limit)
    this.#undo.push(() => allocator.cancel(id))
    return id
  }

  region(arena: Arena, length: number, limit: number): Region {
    const region = arena.allocate(length)
    if (region === undefined) throw mapFull(this.#service, 'arena', length, limit)
    this.#undo.push(() => arena.cancel(region))
    return region
  }

  cancel(): void {
    for (const undo of this.#undo) undo()
    this.#undo.length = 0
  }
}

/** What two versions of a backend have in common. */
export function backendKey(backend: CompiledBackend): string {
  return `${backend.protocol} ${backend.port} ${backend.address}`
}

function linkBackends(
  old: LinkedService | undefined,
  backends: readonly CompiledBackend[],
  take: () => number,
): readonly number[] {
  if (old === undefined || old.backends.length === 0) return backends.map(take)
  const known = new Map(old.backends.map((backend, index) => [backendKey(backend), old.backendIds[index]]))
  return backends.map((backend) => known.get(backendKey(backend)) ?? take())
}

/**
 * For each old set the new set that all of the frontends have that used it and still exist; a set whose frontends part
 * ways has none, as rewriting its table in place would show some of them another's backends.
 */
function successors(old: LinkedService, compiled: CompiledService, keys: readonly string[]): Map<LinkedSet, number> {
  const before = new Map(old.frontends.map((frontend) => [frontend.key, frontend]))
  const result = new Map<LinkedSet, number>()
  const note = (set: LinkedSet, next: number) => {
    const known = result.get(set)
    result.set(set, known === undefined || known === next ? next : -1)
  }
  compiled.frontends.forEach((frontend, index) => {
    const former = before.get(keys[index] as string)
    if (former === undefined) return
    note(former.internal, frontend.internal)
    note(former.external, frontend.external)
  })
  return result
}

/** The old set whose table each new set takes over: one with the same content first, else its own former one. */
function predecessors(
  old: LinkedService,
  compiled: CompiledService,
  keys: readonly string[],
  setIds: readonly (readonly number[])[],
): (LinkedSet | undefined)[] {
  const sameContent = new Map<string, LinkedSet>()
  for (const set of old.sets) if (set.region && set.backends) sameContent.set(set.backends.join(), set)
  const taken = new Set<LinkedSet>()
  const result = compiled.sets.map((_, index) => {
    const set = sameContent.get((setIds[index] as readonly number[]).join())
    if (set !== undefined) taken.add(set)
    return set
  })
  for (const [set, index] of successors(old, compiled, keys)) {
    if (index < 0 || taken.has(set) || result[index] !== undefined) continue
    if (set.region?.length !== compiled.sets[index]?.length) continue
    result[index] = set
    taken.add(set)
  }
  return result
}

/**
 * Links a Service.
 *
 * @param old what is in the maps under its name; undefined when nothing is
 * @throws ServiceProgramError when ids or the arena run out; nothing is taken then
 */
export function link(old: LinkedService | undefined, compiled: CompiledService, resources: Resources): Link {
  const taker = new Taker(compiled.key)
  try {
    return linkWith(taker, old, compiled, resources)
  } catch (error) {
    taker.cancel()
    throw error
  }
}

function linkWith(taker: Taker, old: LinkedService | undefined, compiled: CompiledService, resources: Resources): Link {
  const { limits } = resources
  const newServices: number[] = []
  const ports = new Map<string, number>()
  for (const { name } of compiled.ports) {
    let id = old?.ports.get(name)
    if (id === undefined) {
      id = taker.id(resources.services, 'services', limits.services)
      newServices.push(id)
    }
    ports.set(name, id)
  }
  const takeBackend = () => taker.id(resources.backends, 'backends', limits.backends)
  const backendIds = linkBackends(old, compiled.backends, takeBackend)
  const setIds = compiled.sets.map((set) => set.backends.map((index) => backendIds[index] as number))
  const keys = compiled.frontends.map((frontend) => frontendKey(frontend.address, frontend.port, frontend.protocol))
  const former = old === undefined ? undefined : predecessors(old, compiled, keys, setIds)
  const tables: TableWrite[] = []
  const usedIds = new Set<number>()
  const sets = compiled.sets.map((set, index): LinkedSet => {
    const ids = setIds[index] as readonly number[]
    const before = former?.[index]
    let id = 0
    if (compiled.affinitySeconds > 0 && set.length > 0) {
      id = before !== undefined && !usedIds.has(before.id) ? before.id : 0
      if (id === 0) id = taker.id(resources.sets, 'members', limits.sets)
      usedIds.add(id)
    }
    if (set.length === 0) return { region: undefined, id, empty: set.empty, backends: ids }
    const region = before?.region ?? taker.region(resources.arena, set.length, limits.slots)
    if (before?.backends?.join() !== ids.join()) tables.push({ set, backends: compiled.backends, ids, region })
    return { region, id, empty: set.empty, backends: ids }
  })
  const frontends = compiled.frontends.map(
    (frontend, index): LinkedFrontend => ({
      key: keys[index] as string,
      internal: sets[frontend.internal] as LinkedSet,
      external: sets[frontend.external] as LinkedSet,
    }),
  )
  const { key, affinityId, backends } = compiled
  const linked = { key, compiled, affinityId, ports, backends, backendIds, sets, frontends }
  return { linked, tables, newServices, cancel: () => taker.cancel() }
}
