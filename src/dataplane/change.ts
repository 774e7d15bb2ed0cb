// SPDX-License-Identifier: Apache-2.0
/** What must be written to the maps, and what may be forgotten after that. */

import type { Region } from '../compiler/arena.ts'
import type { CompiledBackend } from '../compiler/compiled-service.ts'
import type { TableWrite } from './link.ts'
import { emptyDiff, type TableDiff } from './table-state.ts'
import type { TableName } from './tables.ts'

export interface BackendWrite {
  readonly id: number
  readonly backend: CompiledBackend
  readonly affinityId: bigint
}

/** The difference between what the maps hold and what they should; plain data, in no order. See transaction for the order. */
export interface Change {
  readonly tables: Readonly<Record<TableName, TableDiff>>
  readonly backends: BackendWrite[]
  readonly arena: TableWrite[]
  readonly setBits: number[]
  /** Backends that serve no more. */
  readonly retired: BackendWrite[]
  /** Service ids whose counters start anew. */
  readonly newServices: number[]
  /** Given back to the allocators when everything is written. */
  readonly freed: {
    readonly services: number[]
    readonly backends: number[]
    readonly sets: number[]
    readonly regions: Region[]
  }
}

export function emptyChange(): Change {
  return {
    tables: { services: emptyDiff(), members: emptyDiff(), source_ranges: emptyDiff(), frontends: emptyDiff() },
    backends: [],
    arena: [],
    setBits: [],
    retired: [],
    newServices: [],
    freed: { services: [], backends: [], sets: [], regions: [] },
  }
}

/** True when nothing is to be written. */
export function isEmptyChange(change: Change): boolean {
  const { tables, backends, arena, setBits, retired } = change
  return (
    backends.length + arena.length + setBits.length + retired.length === 0 &&
    Object.values(tables).every(({ upserts, deletes }) => upserts.size + deletes.size === 0)
  )
}
