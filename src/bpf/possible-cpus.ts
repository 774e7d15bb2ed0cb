// SPDX-License-Identifier: Apache-2.0
/** How many values a per-CPU map has for a key. */

import { check } from '../ffi/check.ts'
import { libbpf } from '../ffi/libbpf.ts'

let known: number | undefined

/** CPUs that may ever be online (/sys/devices/system/cpu/possible): fixed at boot. */
export function possibleCpus(): number {
  known ??= check('libbpf_num_possible_cpus', libbpf().numPossibleCpus(), 'possible CPUs')
  return known
}
