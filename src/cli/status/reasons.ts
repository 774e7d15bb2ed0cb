// SPDX-License-Identifier: Apache-2.0
/** What became of packets since an instance's counters were made. */

import type { Maps } from '../../bpf/maps.ts'
import { reasons, type VerdictWord, verdictOf } from '../live/words.ts'

export interface ReasonRow {
  readonly reason: string
  readonly verdict: VerdictWord
  readonly packets: bigint
  readonly bytes: bigint
}

/** Every reason that any packet had. */
export function readReasons({ reasons: counters }: Pick<Maps, 'reasons'>): ReasonRow[] {
  return reasons
    .map(([reason, name]) => ({ reason: name, verdict: verdictOf(reason), ...counters.sum(reason) }))
    .filter(({ packets }) => packets > 0n)
}
