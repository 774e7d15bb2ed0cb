// SPDX-License-Identifier: Apache-2.0
/** Reads the maps back, compares them with what they should hold, and repairs what differs. */

import { BackendFlags, backendCodec } from '../abi/generated.ts'
import type { CompiledBackend, CompiledSet } from '../compiler/compiled-service.ts'
import { tableOf } from '../compiler/table-of.ts'
import { isUsedBackend, writeBackend } from './entries.ts'
import { setBit } from './filter-bits.ts'
import type { LinkedSet, ProgrammedService } from './linked-service.ts'
import type { ProgramState } from './program-state.ts'
import { textOf, writeDeletes, writeUpserts } from './table-state.ts'
import { type TableName, type Tables, tableNames } from './tables.ts'

/** Entries that differed, by map; all of them have been repaired. */
export type AuditReport = Record<TableName | 'backends' | 'arena' | 'filter', number>

export function emptyAuditReport(): AuditReport {
  return { services: 0, members: 0, source_ranges: 0, frontends: 0, backends: 0, arena: 0, filter: 0 }
}

/** Services that are compared in one step: a few milliseconds. */
const SERVICES_PER_STEP = 100

function auditTable(name: TableName, state: ProgramState, tables: Tables): number {
  const expected = state.tables[name]
  const missing = new Map<string, string>()
  for (const [key, { value }] of expected) missing.set(key, value)
  const unknown = new Set<string>()
  for (const [keyBytes, valueBytes] of tables[name].entries()) {
    const key = textOf(keyBytes)
    const wanted = missing.get(key)
    if (wanted === textOf(valueBytes)) missing.delete(key)
    else if (wanted === undefined) unknown.add(key)
  }
  writeUpserts(tables[name], missing)
  writeDeletes(tables[name], unknown)
  return missing.size + unknown.size
}

function auditSet(
  set: LinkedSet,
  compiled: CompiledSet,
  backends: readonly CompiledBackend[],
  tables: Tables,
  seed: number,
): number {
  if (set.region === undefined || set.backends === undefined) return 0
  const { arena } = tables
  const table = tableOf(compiled, backends, set.backends, seed)
  let drift = 0
  for (let slot = 0; slot < table.length; slot++) {
    const place = set.region.offset + slot
    if (arena[place] === table[slot]) continue
    arena[place] = table[slot] as number
    drift++
  }
  return drift
}

function auditBackends(service: ProgrammedService, view: DataView, expected: DataView): number {
  const { size } = backendCodec
  let drift = 0
  service.backendIds.forEach((id, index) => {
    const backend = service.backends[index] as CompiledBackend
    writeBackend(expected, 0, backend, service.affinityId, true)
    for (let byte = 0; byte < size; byte++) {
      if (view.getUint8(id * size + byte) === expected.getUint8(byte)) continue
      writeBackend(view, id, backend, service.affinityId, true)
      drift++
      break
    }
  })
  return drift
}

/** Elements that serve though no Service has them. */
function retireUnknown(state: ProgramState, view: DataView): number {
  const { size } = backendCodec
  const known = new Set<number>()
  for (const service of state.services.values()) for (const id of service.backendIds) known.add(id)
  const words = new Uint32Array(view.buffer, view.byteOffset, view.byteLength / Uint32Array.BYTES_PER_ELEMENT)
  let drift = 0
  for (let id = 1; (id + 1) * size <= view.byteLength; id++) {
    if (known.has(id) || !isUsedBackend(words, id)) continue
    const value = backendCodec.decode(view, id * size)
    if (!(value.flags & BackendFlags.BE_F_SERVING)) continue
    backendCodec.encode({ ...value, flags: value.flags & ~BackendFlags.BE_F_SERVING }, view, id * size)
    drift++
  }
  return drift
}

function auditServices(
  services: readonly ProgrammedService[],
  tables: Tables,
  seed: number,
  report: AuditReport,
): void {
  const view = new DataView(tables.backends.buffer, tables.backends.byteOffset, tables.backends.byteLength)
  const expected = new DataView(new ArrayBuffer(backendCodec.size))
  for (const service of services) {
    const { compiled } = service
    report.backends += auditBackends(service, view, expected)
    if (compiled === undefined) continue
    compiled.sets.forEach((set, index) => {
      report.arena += auditSet(service.sets[index] as LinkedSet, set, service.backends, tables, seed)
    })
  }
}

function auditFilter(state: ProgramState, filter: Uint32Array): number {
  let drift = 0
  for (const bit of state.bits.all()) {
    if ((filter[bit >>> 5] as number) & (1 << (bit & 31))) continue
    setBit(filter, bit)
    drift++
  }
  return drift
}

/**
 * Steps of an audit, each of which leaves the maps right as far as it looked. Between two of them the state and the maps
 * may advance together.
 */
export function* auditSteps(
  state: ProgramState,
  tables: Tables,
  seed: number,
  report: AuditReport,
): Generator<() => void, void, undefined> {
  yield () => {
    report.filter += auditFilter(state, tables.filter)
  }
  const keys = [...state.services.keys()]
  for (let start = 0; start < keys.length; start += SERVICES_PER_STEP) {
    yield () => {
      const found = keys.slice(start, start + SERVICES_PER_STEP).map((key) => state.services.get(key))
      auditServices(
        found.filter((service) => service !== undefined),
        tables,
        seed,
        report,
      )
    }
  }
  for (const name of tableNames) {
    yield () => {
      report[name] += auditTable(name, state, tables)
    }
  }
  yield () => {
    report.backends += retireUnknown(
      state,
      new DataView(tables.backends.buffer, tables.backends.byteOffset, tables.backends.byteLength),
    )
  }
}
