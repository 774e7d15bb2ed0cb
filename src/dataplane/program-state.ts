// SPDX-License-Identifier: Apache-2.0
/** What the maps are known to hold, and the step from compiled Services to the change that brings them there. */

import { Arena } from '../compiler/arena.ts'
import type { CompiledChange } from '../compiler/compile.ts'
import type { CompiledService } from '../compiler/compiled-service.ts'
import { IdAllocator } from '../compiler/id-allocator.ts'
import type { ServicePlan } from '../model/types.ts'
import { bitOfBackend, diffBackends } from './backend-diff.ts'
import { type Change, emptyChange } from './change.ts'
import { mapFull, ServiceProgramError } from './dataplane-error.ts'
import { frontendKey, wildcardValue } from './entries.ts'
import { bitOfFrontend, FilterBits } from './filter-bits.ts'
import { type Link, link, type Resources } from './link.ts'
import type { LinkedService, OwnedKeys, ProgrammedService } from './linked-service.ts'
import { restore } from './restore.ts'
import { additions, replaceEntries, type TableState, type WantedEntries } from './table-state.ts'
import { type TableName, type Tables, tableNames } from './tables.ts'
import { type WantedTables, wantedByNobody, wantedTables } from './wanted-tables.ts'
import { Wildcards } from './wildcards.ts'

export interface ProgramStateOptions {
  /** `max_entries` of the maps, and how many bits the filter has. */
  readonly limits: Readonly<Record<TableName, number>> & {
    readonly serviceIds: number
    readonly backends: number
    readonly slots: number
    readonly filterBits: number
  }
  /** Pings to every VIP are answered. */
  readonly answerPing: boolean
  /** How long ids rest before reuse, in milliseconds; long enough for the sweeper to forget flows that name them. */
  readonly idGraceMs: number
  /** How long a region of the arena rests, in milliseconds; long enough for a preempted program to finish. */
  readonly regionGraceMs: number
  readonly now: () => number
}

/** Owner of the entries of whole addresses, which Services may share. */
const SHARED = ''

const noKeys: OwnedKeys = { services: [], members: [], source_ranges: [], frontends: [] }

function keysOf(wanted: WantedTables): OwnedKeys {
  const keys = (entries: WantedEntries) => (entries.size === 0 ? noKeys.members : [...entries.keys()])
  return {
    services: keys(wanted.services),
    members: keys(wanted.members),
    source_ranges: keys(wanted.source_ranges),
    frontends: keys(wanted.frontends),
  }
}

/** The desired content of all tables, ids and places included. */
export class ProgramState {
  readonly resources: Resources
  readonly tables: Readonly<Record<TableName, TableState>>
  readonly bits: FilterBits
  readonly services = new Map<string, ProgrammedService>()
  /** Services that do not stand in the maps as they should, by key. */
  readonly failures = new Map<string, ServiceProgramError>()
  readonly #wildcards = new Wildcards()
  /** Keys of whole addresses that a Service claims. */
  readonly #wantedShared = new Set<string>()
  /** Addresses whose entry follows at the end of this advance. */
  readonly #pendingShared = new Set<string>()
  readonly #options: ProgramStateOptions

  constructor(options: ProgramStateOptions) {
    const { limits, now, idGraceMs, regionGraceMs } = options
    const ids = (limit: number) => new IdAllocator({ limit, graceMs: idGraceMs, now })
    this.#options = options
    this.resources = {
      services: ids(limits.serviceIds),
      backends: ids(limits.backends),
      // Sets have no array of their own; the number only has to fit into a u32.
      sets: ids(2 ** 32),
      arena: new Arena({ slots: limits.slots, graceMs: regionGraceMs, now }),
      limits: { services: limits.serviceIds, backends: limits.backends, sets: 2 ** 32, slots: limits.slots },
    }
    this.tables = { services: new Map(), members: new Map(), source_ranges: new Map(), frontends: new Map() }
    this.bits = new FilterBits(limits.filterBits)
  }

  /** The plan that a Service stands in the maps by; undefined when it does not. */
  planOf(key: string): ServicePlan | undefined {
    return this.failures.has(key) ? undefined : this.services.get(key)?.compiled?.plan
  }

  /** Keys of all Services that stand in the maps or failed to. */
  *known(): Generator<string> {
    yield* this.services.keys()
    for (const key of this.failures.keys()) if (!this.services.has(key)) yield key
  }

  /**
   * Takes compiled Services in and tells what must be written. From then on this is what the maps will hold, so the change
   * has to be carried out, however often it takes, before the next one.
   */
  advance(compiled: CompiledChange): Change {
    const change = emptyChange()
    const addresses = new Set<string>()
    for (const service of compiled.changed) this.#replace(service, change, addresses)
    for (const key of compiled.removed) this.#remove(key, change, addresses)
    for (const address of addresses) this.#updateWildcard(address, change)
    this.#pendingShared.clear()
    return change
  }

  /** Takes over what stands in the maps; before the first {@link advance}. */
  adopt(tables: Tables): void {
    const restored = restore(tables, this.resources)
    for (const name of tableNames) for (const [key, entry] of restored.tables[name]) this.tables[name].set(key, entry)
    for (const [key, service] of restored.services) {
      this.services.set(key, service)
      for (const frontend of service.keys.frontends) this.bits.acquire(bitOfFrontend(frontend))
      for (const backend of service.backends) if (backend.local) this.bits.acquire(bitOfBackend(backend))
    }
    for (const id of restored.resting) this.resources.backends.quarantine(id)
  }

  /** Entries that nobody wants, once all Services have been taken in after {@link adopt}. */
  removeOrphans(change: Change): void {
    for (const name of tableNames) {
      for (const [key, { owner }] of this.tables[name]) {
        const wanted = owner === SHARED ? this.#wantedShared.has(key) : this.services.has(owner)
        if (wanted) continue
        this.tables[name].delete(key)
        change.tables[name].deletes.add(key)
      }
    }
  }

  /** Gives back what a change has freed; to be called when the change is carried out. */
  settle(change: Change): void {
    const { services, backends, sets, arena } = this.resources
    for (const id of change.freed.services) services.release(id)
    for (const id of change.freed.backends) backends.release(id)
    for (const id of change.freed.sets) sets.release(id)
    for (const region of change.freed.regions) arena.free(region)
  }

  #replace(service: CompiledService, change: Change, addresses: Set<string>): void {
    const old = this.services.get(service.key)
    let linking: Link | undefined
    try {
      linking = link(old, service, this.resources)
      const wanted = wantedTables(linking.linked, service)
      const shared = this.#newShared(service.plan)
      this.#checkRoom(service.key, wanted, shared.length)
      for (const address of shared) this.#pendingShared.add(address)
      this.#commit(old, linking, wanted, change)
    } catch (error) {
      linking?.cancel()
      this.failures.set(service.key, asProgramError(service.key, error))
      return
    }
    this.failures.delete(service.key)
    if (old?.compiled) for (const address of this.#wildcards.remove(old.compiled.plan)) addresses.add(address)
    for (const address of this.#wildcards.add(service.plan, this.#options.answerPing)) addresses.add(address)
  }

  #remove(key: string, change: Change, addresses: Set<string>): void {
    this.failures.delete(key)
    const old = this.services.get(key)
    if (old === undefined) return
    this.#replaceEntries(key, old.keys, wantedByNobody, change)
    diffBackends(old, undefined, this.bits, change)
    freeUnused(old, undefined, change)
    this.services.delete(key)
    if (old.compiled) for (const address of this.#wildcards.remove(old.compiled.plan)) addresses.add(address)
  }

  /** Both versions stand in the maps for a moment, so both must find room. */
  #checkRoom(service: string, wanted: WantedTables, shared: number): void {
    for (const name of tableNames) {
      let needed = additions(this.tables[name], wanted[name])
      let used = this.tables[name].size
      if (name === 'frontends') {
        needed += shared
        used += this.#pendingShared.size
      }
      const capacity = this.#options.limits[name]
      if (used + needed > capacity) throw mapFull(service, name, needed, capacity)
    }
  }

  /** Addresses that get an entry of their own through this Service. */
  #newShared(plan: ServicePlan): readonly string[] {
    if (plan.ports.length === 0) return []
    const addresses = this.#options.answerPing ? [...plan.clusterIPs, ...plan.externalAddresses] : plan.clusterIPs
    return addresses.filter(
      (address) => !this.#pendingShared.has(address) && !this.tables.frontends.has(frontendKey(address, 0, 0)),
    )
  }

  #commit(old: ProgrammedService | undefined, linking: Link, wanted: WantedTables, change: Change): void {
    const { linked } = linking
    this.#replaceEntries(linked.key, old?.keys ?? noKeys, wanted, change)
    change.newServices.push(...linking.newServices)
    for (const table of linking.tables) change.arena.push(table)
    diffBackends(old, linked, this.bits, change)
    if (old) freeUnused(old, linked, change)
    this.services.set(linked.key, { ...linked, keys: keysOf(wanted) })
  }

  #replaceEntries(owner: string, before: OwnedKeys, wanted: WantedTables, change: Change): void {
    for (const name of tableNames) {
      replaceEntries(this.tables[name], owner, before[name], wanted[name], change.tables[name])
    }
    this.#countBits(before.frontends, wanted.frontends, change)
  }

  /** A bit is counted for every Service that wants an entry, so that a take-over leaves it set. */
  #countBits(before: readonly string[], wanted: WantedEntries, change: Change): void {
    const known = new Set(before)
    for (const key of wanted.keys()) {
      if (known.has(key)) continue
      const bit = bitOfFrontend(key)
      this.bits.acquire(bit)
      change.setBits.push(bit)
    }
    for (const key of before) if (!wanted.has(key)) this.bits.release(bitOfFrontend(key))
  }

  #updateWildcard(address: string, change: Change): void {
    const key = frontendKey(address, 0, 0)
    const claim = this.#wildcards.winner(address)
    const service = claim && this.services.get(claim.service)
    const [firstPort] = service?.ports.values() ?? []
    const wanted = new Map<string, string>()
    if (claim !== undefined && firstPort !== undefined) {
      const { answerPing } = this.#options
      wanted.set(key, wildcardValue({ service: firstPort, kind: claim.kind, answerPing }))
    }
    const before = this.#wantedShared.has(key) ? [key] : []
    replaceEntries(this.tables.frontends, SHARED, before, wanted, change.tables.frontends)
    this.#countBits(before, wanted, change)
    if (wanted.size > 0) this.#wantedShared.add(key)
    else this.#wantedShared.delete(key)
  }
}

/** Gives back what the new version of a Service has no use for. */
function freeUnused(old: LinkedService, next: LinkedService | undefined, change: Change): void {
  const { freed } = change
  const kept = new Set(next?.sets.map((set) => set.region))
  const regions = new Set(old.sets.map((set) => set.region))
  for (const region of regions) if (region !== undefined && !kept.has(region)) freed.regions.push(region)
  const setIds = new Set(next?.sets.map((set) => set.id))
  for (const id of new Set(old.sets.map((set) => set.id))) if (id !== 0 && !setIds.has(id)) freed.sets.push(id)
  for (const [name, id] of old.ports) if (next?.ports.get(name) === undefined) freed.services.push(id)
}

function asProgramError(service: string, error: unknown): ServiceProgramError {
  if (error instanceof ServiceProgramError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new ServiceProgramError('NOT_EXPRESSIBLE', service, message, { cause: error })
}
