// SPDX-License-Identifier: Apache-2.0
/** Whether the kernel takes the programs: they are loaded with small maps of their own, attached to nothing. */

import { mapSpecs, type Config as ProgramConfig } from '../abi/generated.ts'
import { shippedObject } from '../agent/load-programs.ts'
import { loadObject } from '../bpf/object.ts'
import { describeProgram } from '../bpf/program.ts'
import { type Finding, findingsOf } from './finding.ts'

/** Of maps whose size is a choice; what the programs index by a constant keeps its size. */
const FEW_ENTRIES = 16
/** A ring buffer is a power of two of pages, on any architecture. */
const RING_BYTES = 65_536
const FIXED: readonly string[] = ['filter', 'control', 'drafts', 'reasons']

/** @param config As the agent would set it. Needs root. */
export function checkPrograms(config: ProgramConfig): Finding[] {
  const { ok, error } = findingsOf('programs')
  try {
    using object = loadObject({ object: shippedObject(), config, maxEntries: smallMaps() })
    const programs = [...object.programs.values()]
    const largest = Math.max(...programs.map(({ fd }) => describeProgram(fd).verifiedInstructions))
    const effort = largest > 0 ? `, the largest after ${largest.toLocaleString('en')} instructions of a million` : ''
    return [ok(`the kernel takes all ${programs.length} programs${effort}`)]
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    return [
      error(
        message,
        'Update the kernel: Linux 5.15 or later with CONFIG_BPF_SYSCALL, CONFIG_BPF_JIT, CONFIG_CGROUP_BPF',
      ),
    ]
  }
}

function smallMaps(): Record<string, number> {
  const sizes = Object.values(mapSpecs).flatMap(({ name, type }): [string, number][] =>
    FIXED.includes(name) ? [] : [[name, type === 'RINGBUF' ? RING_BYTES : FEW_ENTRIES]],
  )
  return Object.fromEntries(sizes)
}
