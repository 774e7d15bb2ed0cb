// SPDX-License-Identifier: Apache-2.0
/** A kind of thing that `maglane get` lists. */

import type { Live } from '../live/live.ts'
import type { Column } from '../table.ts'

export interface View<Row> {
  /** What a person reads where there is none: 'No services'. */
  readonly none: string
  readonly columns: readonly Column<Row>[]
  /** Sorted; a row is what `-o json` prints. */
  readonly rows: (live: Live) => Row[]
  /** `namespace/name` of the Services that a row belongs to: what `get WHAT SERVICE` selects by. */
  readonly services: (row: Row) => readonly string[]
}
