// SPDX-License-Identifier: Apache-2.0
/** The kernel's own clock of BPF programs (BPF_ENABLE_STATS, Linux 5.8). */

import { closeSync } from 'node:fs'
import koffi from 'koffi'
import { check } from '../../../src/ffi/check.ts'
import { libbpf } from '../../../src/ffi/libbpf.ts'
import { ProgramInfo } from '../../../src/ffi/libbpf-types.ts'
import { library } from '../../../src/ffi/library.ts'

const BPF_STATS_RUN_TIME = 0

const stats = library('libbpf.so.1', 'install libbpf 1.0 or later (Debian: libbpf1)', (bind) => ({
  enable: bind<(type: number) => number>('bpf_enable_stats', 'int', ['int']),
}))

/** Programs are timed, the whole machine's, until it is disposed of or this process ends. */
export function enableRunTime(): Disposable {
  const fd = check('bpf_enable_stats', stats().enable(BPF_STATS_RUN_TIME), 'run time of programs')
  return { [Symbol.dispose]: () => closeSync(fd) }
}

export interface RunTime {
  readonly nanoseconds: number
  readonly runs: number
}

/** Since the program was loaded, as far as it was timed. */
export function runTimeOf(programFd: number): RunTime {
  const info = new Uint8Array(ProgramInfo.size)
  check('bpf_obj_get_info_by_fd', libbpf().infoByFd(programFd, info, [info.length]), `program fd ${programFd}`)
  const raw = koffi.decode(info, ProgramInfo)
  return { nanoseconds: Number(raw.run_time_ns), runs: Number(raw.run_cnt) }
}
