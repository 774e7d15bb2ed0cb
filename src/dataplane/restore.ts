// SPDX-License-Identifier: Apache-2.0
/** Reads what a former agent left in the maps, so that ids and tables go on as they are. */

import { formatAddress, sameAddress, unspecifiedAddress } from '../abi/address.ts'
import { BackendFlags, type BackendSet, backendCodec, frontendCodec, serviceNameCodec } from '../abi/generated.ts'
import { decoded } from '../abi/runtime.ts'
import { affinityId } from '../compiler/affinity-id.ts'
import type { Region } from '../compiler/arena.ts'
import type { CompiledBackend } from '../compiler/compiled-service.ts'
import { isUsedBackend } from './entries.ts'
import type { Resources } from './link.ts'
import type { LinkedFrontend, LinkedSet, ProgrammedService } from './linked-service.ts'
import { bytesOf, type TableState, textOf } from './table-state.ts'
import { type TableName, type Tables, tableNames } from './tables.ts'

/** What the maps hold, by Service; entries of none are in `tables` alone, with owner ''. */
export interface Restored {
  readonly tables: Readonly<Record<TableName, TableState>>
  readonly services: ReadonlyMap<string, ProgrammedService>
  /** Ids of backends that no Service has any more: they must rest before they are given again. */
  readonly resting: readonly number[]
}

interface Draft {
  readonly key: string
  readonly affinityId: bigint
  readonly ports: Map<string, number>
  readonly backends: CompiledBackend[]
  readonly backendIds: number[]
  readonly sets: Map<string, LinkedSet>
  readonly frontends: LinkedFrontend[]
  readonly keys: Record<TableName, string[]>
}

function draft(key: string, id: bigint): Draft {
  return {
    key,
    affinityId: id,
    ports: new Map(),
    backends: [],
    backendIds: [],
    sets: new Map(),
    frontends: [],
    keys: { services: [], members: [], source_ranges: [], frontends: [] },
  }
}

function readTables(tables: Tables): Record<TableName, TableState> {
  const state: Record<TableName, TableState> = {
    services: new Map(),
    members: new Map(),
    source_ranges: new Map(),
    frontends: new Map(),
  }
  for (const name of tableNames) {
    for (const [key, value] of tables[name].entries()) state[name].set(textOf(key), { value: textOf(value), owner: '' })
  }
  return state
}

/** The id that a key of services, or the number that a key of members or source_ranges begins with. */
function firstWord(key: string, littleEndian: boolean, offset = 0): number {
  const bytes = bytesOf(key)
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, littleEndian)
}

/** Restores Services from the content of the maps; nothing is written. */
class Restorer {
  readonly #tables: Tables
  readonly #state: Record<TableName, TableState>
  readonly #resources: Resources
  readonly #drafts = new Map<string, Draft>()
  readonly #byPort = new Map<number, Draft>()
  readonly #byAffinity = new Map<bigint, Draft>()
  readonly #bySet = new Map<number, Draft>()
  readonly #regions = new Map<number, Region>()

  constructor(tables: Tables, resources: Resources) {
    this.#tables = tables
    this.#state = readTables(tables)
    this.#resources = resources
  }

  restore(): Restored {
    this.#readNames()
    const resting = this.#readBackends()
    this.#readFrontends()
    this.#own('members', (key) => this.#bySet.get(firstWord(key, true)))
    this.#own('source_ranges', (key) => this.#byPort.get(firstWord(key, false, 4)))
    const services = new Map<string, ProgrammedService>()
    for (const [key, service] of this.#drafts) {
      services.set(key, { ...service, compiled: undefined, sets: [...service.sets.values()] })
    }
    return { tables: this.#state, services, resting }
  }

  #readNames(): void {
    for (const [key, entry] of this.#state.services) {
      const id = firstWord(key, true)
      const { namespace, name, portName } = decoded(serviceNameCodec, bytesOf(entry.value))
      const service = `${namespace}/${name}`
      if (namespace === '' || !this.#resources.services.claim(id)) continue
      let found = this.#drafts.get(service)
      if (found === undefined) {
        found = draft(service, affinityId(namespace, name))
        this.#drafts.set(service, found)
        this.#byAffinity.set(found.affinityId, found)
      }
      if (found.ports.has(portName)) {
        this.#resources.services.cancel(id)
        continue
      }
      found.ports.set(portName, id)
      this.#byPort.set(id, found)
      this.#take('services', key, found)
    }
  }

  /** Elements that serve belong to the Service whose hash they bear; the others rest. */
  #readBackends(): number[] {
    const { backends } = this.#tables
    const view = new DataView(backends.buffer, backends.byteOffset, backends.byteLength)
    const words = new Uint32Array(backends.buffer, backends.byteOffset, backends.byteLength >>> 2)
    const resting: number[] = []
    for (let id = 1; id < this.#tables.backendLimit; id++) {
      if (!isUsedBackend(words, id)) continue
      const { addr, port, proto, flags, affinityId: affinity } = backendCodec.decode(view, id * backendCodec.size)
      const service = this.#byAffinity.get(affinity)
      const serving = (flags & BackendFlags.BE_F_SERVING) !== 0 && !sameAddress(addr, unspecifiedAddress)
      if (!serving || service === undefined || !this.#resources.backends.claim(id)) {
        resting.push(id)
        continue
      }
      const local = (flags & BackendFlags.BE_F_LOCAL) !== 0
      service.backends.push({ protocol: proto, address: formatAddress(addr), port, local })
      service.backendIds.push(id)
    }
    return resting
  }

  #readFrontends(): void {
    const found: { readonly key: string; readonly service: Draft; readonly sets: readonly BackendSet[] }[] = []
    for (const [key, entry] of this.#state.frontends) {
      const value = decoded(frontendCodec, bytesOf(entry.value))
      const service = this.#byPort.get(value.service)
      // Whole addresses may be shared, so they have no owner.
      if (service === undefined || key.endsWith('\0\0\0\0')) continue
      this.#take('frontends', key, service)
      found.push({ key, service, sets: value.sets })
    }
    // In ascending order every claim finds its place in the last free block at once.
    for (const { offset, slots } of found.flatMap(({ sets }) => sets).sort((a, b) => a.offset - b.offset)) {
      if (slots === 0 || this.#regions.has(offset)) continue
      const region = { offset, length: slots }
      if (this.#resources.arena.claim(region)) this.#regions.set(offset, region)
    }
    for (const { key, service, sets } of found) {
      const [internal, external] = sets.map((set) => this.#set(service, set))
      if (internal && external) service.frontends.push({ key, internal, external })
    }
  }

  #set(service: Draft, set: BackendSet): LinkedSet {
    const name = `${set.offset} ${set.slots} ${set.id}`
    const known = service.sets.get(name)
    if (known !== undefined) return known
    const region = this.#regions.get(set.offset)
    const usable = region?.length === set.slots && !this.#sharedRegion(service, region)
    let id = 0
    if (set.id !== 0 && this.#resources.sets.claim(set.id)) {
      id = set.id
      this.#bySet.set(id, service)
    }
    const linked: LinkedSet = { region: usable ? region : undefined, id, empty: 'reject', backends: undefined }
    service.sets.set(name, linked)
    return linked
  }

  /** True when another Service has the region already: maps that disagree with themselves are not built upon. */
  #sharedRegion(service: Draft, region: Region): boolean {
    const owner = this.#owners.get(region)
    this.#owners.set(region, owner ?? service)
    return owner !== undefined && owner !== service
  }

  readonly #owners = new Map<Region, Draft>()

  #own(table: 'members' | 'source_ranges', ownerOf: (key: string) => Draft | undefined): void {
    for (const key of this.#state[table].keys()) {
      const service = ownerOf(key)
      if (service) this.#take(table, key, service)
    }
  }

  #take(table: TableName, key: string, service: Draft): void {
    const entry = this.#state[table].get(key)
    if (entry === undefined) return
    this.#state[table].set(key, { value: entry.value, owner: service.key })
    service.keys[table].push(key)
  }
}

/** Reads the maps and claims the ids and regions that are in use. */
export function restore(tables: Tables, resources: Resources): Restored {
  return new Restorer(tables, resources).restore()
}
