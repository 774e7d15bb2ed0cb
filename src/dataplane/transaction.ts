// SPDX-License-Identifier: Apache-2.0
/** Carries a change out, make before break. */

import { tableOf } from '../compiler/table-of.ts'
import type { Change } from './change.ts'
import { writeBackend } from './entries.ts'
import { setBit } from './filter-bits.ts'
import type { TableWrite } from './link.ts'
import { writeDeletes, writeUpserts } from './table-state.ts'
import type { TableName, Tables } from './tables.ts'

/** Stores the slots that differ, each by one aligned store: old and new value both are backends of the Service. */
function writeTable({ arena }: Tables, write: TableWrite, seed: number): void {
  const table = tableOf(write.set, write.backends, write.ids, seed)
  const { offset } = write.region
  for (let slot = 0; slot < table.length; slot++) {
    const id = table[slot] as number
    if (arena[offset + slot] !== id) arena[offset + slot] = id
  }
}

/**
 * A change on its way into the maps. Each step may be repeated; a step that fails is tried again before any later one.
 *
 * What a packet finds is complete at every moment: an entry is written after all that it names, and deleted after all
 * that names it.
 */
export class Transaction {
  readonly change: Change
  readonly #steps: (() => void)[]
  #done = 0

  constructor(change: Change, tables: Tables, seed: number) {
    this.change = change
    const backends = new DataView(tables.backends.buffer, tables.backends.byteOffset, tables.backends.byteLength)
    const upsert = (name: TableName) => () => writeUpserts(tables[name], change.tables[name].upserts)
    const remove = (name: TableName) => () => writeDeletes(tables[name], change.tables[name].deletes)
    this.#steps = [
      () => tables.resetStats(change.newServices),
      upsert('services'),
      () => {
        for (const { id, backend, affinityId } of change.backends) writeBackend(backends, id, backend, affinityId, true)
      },
      () => {
        for (const write of change.arena) writeTable(tables, write, seed)
      },
      upsert('members'),
      upsert('source_ranges'),
      () => {
        for (const bit of change.setBits) setBit(tables.filter, bit)
      },
      upsert('frontends'),
      remove('frontends'),
      remove('source_ranges'),
      remove('members'),
      () => {
        for (const { id, backend, affinityId } of change.retired) writeBackend(backends, id, backend, affinityId, false)
      },
      remove('services'),
    ]
  }

  /** True when everything is written. */
  get finished(): boolean {
    return this.#done === this.#steps.length
  }

  /** Goes on where it stopped. @throws what a write throws; the transaction can be run again */
  run(): void {
    let step = this.#steps[this.#done]
    while (step !== undefined) {
      step()
      step = this.#steps[++this.#done]
    }
  }
}
