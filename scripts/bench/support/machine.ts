// SPDX-License-Identifier: Apache-2.0
/** The machine that a measurement is from, and a place on it. */

import { cpus, release, totalmem } from 'node:os'
import koffi from 'koffi'
import { check } from '../../../src/ffi/check.ts'
import { library } from '../../../src/ffi/library.ts'

export interface Machine {
  readonly cpu: string
  readonly cpus: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  /** ISO 8601, UTC. */
  readonly date: string
}

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cpus: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    date: new Date().toISOString(),
  }
}

export function formatMachine({ cpu, cpus, memoryGiB, kernel, node, date }: Machine): string {
  return `${cpu}, ${cpus} CPUs, ${memoryGiB} GiB; Linux ${kernel}; Node ${node}; ${date.slice(0, 16).replace('T', ' ')} UTC`
}

const libc = library('libc.so.6', 'maglane runs on Linux with glibc', (bind) => ({
  setAffinity: bind<(pid: number, size: number, mask: Uint8Array) => number>('sched_setaffinity', 'int', [
    'int',
    'size_t',
    'void *',
  ]),
}))

/** Keeps the calling thread on one CPU: caches and per-CPU lists stay its own. */
export function pinToCpu(cpu: number): void {
  const mask = new Uint8Array(128)
  mask[cpu >> 3] = 1 << (cpu & 7)
  const status = libc().setAffinity(0, mask.length, mask)
  check('sched_setaffinity', status === -1 ? -koffi.errno() : status, `CPU ${cpu}`)
}
