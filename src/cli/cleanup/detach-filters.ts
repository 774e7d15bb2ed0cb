// SPDX-License-Identifier: Apache-2.0
/** Takes tc filters off, which have no pin: what programs are attached by where the kernel has no tcx. */

import { type ClassicFilter, classicProgramId, detachClassic } from '../../bpf/classic-filter.ts'
import { describeProgramById } from '../../bpf/program.ts'

/** Of attachTc() unless it is told another. */
const PRIORITY = 1

/** As programs of bpf/tc.bpf.c are named. */
const OURS = /^tc_(net|pod)_(in|out)$/

/** @param indices of devices of this process's network namespace. @returns how many filters there were. */
export function detachFilters(indices: readonly number[]): number {
  return indices
    .flatMap((ifindex): ClassicFilter[] => [
      { ifindex, direction: 'ingress', priority: PRIORITY },
      { ifindex, direction: 'egress', priority: PRIORITY },
    ])
    .filter((filter) => isOurs(filter) && detachClassic(filter)).length
}

function isOurs(filter: ClassicFilter): boolean {
  const id = classicProgramId(filter)
  return id !== undefined && OURS.test(describeProgramById(id)?.name ?? '')
}
