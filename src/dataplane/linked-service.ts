// SPDX-License-Identifier: Apache-2.0
/** A Service with its ids and places, as it is known to stand in the maps. */

import type { CompiledBackend, CompiledService } from '../compiler/compiled-service.ts'
import type { SetValue } from './entries.ts'
import type { TableName } from './tables.ts'

/** Keys of the entries that a Service has in the hash tables. */
export type OwnedKeys = Readonly<Record<TableName, readonly string[]>>

export interface LinkedSet extends SetValue {
  /** Ids of its backends in table order; undefined when only the table is known, after a restart. */
  readonly backends: readonly number[] | undefined
}

export interface LinkedFrontend {
  readonly key: string
  readonly internal: LinkedSet
  readonly external: LinkedSet
}

export interface LinkedService {
  /** `namespace/name`. */
  readonly key: string
  /** Undefined for one that was found in the maps and not compiled yet. */
  readonly compiled: CompiledService | undefined
  readonly affinityId: bigint
  /** Ids of its ports by name. */
  readonly ports: ReadonlyMap<string, number>
  readonly backends: readonly CompiledBackend[]
  /** Ids, parallel to `backends`. */
  readonly backendIds: readonly number[]
  readonly sets: readonly LinkedSet[]
  readonly frontends: readonly LinkedFrontend[]
}

/** A linked Service whose entries are in the tables. */
export interface ProgrammedService extends LinkedService {
  readonly keys: OwnedKeys
}
