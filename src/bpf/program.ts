// SPDX-License-Identifier: Apache-2.0
/** A program in the kernel, by its file descriptor. */

import { closeSync } from 'node:fs'
import koffi from 'koffi'
import { check, Errno, isNativeError } from '../ffi/check.ts'
import { libbpf } from '../ffi/libbpf.ts'
import { ProgramInfo } from '../ffi/libbpf-types.ts'

/** A loaded program. */
export interface ProgramHandle {
  /** As in C. */
  readonly name: string
  readonly fd: number
  /** enum bpf_prog_type. */
  readonly type: number
  /** enum bpf_attach_type that follows from its SEC(): cgroup programs attach by it; 0 otherwise. */
  readonly attachType: number
}

/** What the kernel says of a program. */
export interface ProgramDescription {
  readonly id: number
  /** enum bpf_prog_type. */
  readonly type: number
  /** At most 15 characters. */
  readonly name: string
  /** Hash of the instructions, hexadecimal: the same code has the same tag. */
  readonly tag: string
  /** Instructions that the verifier walked through; its limit is a million. 0 before Linux 5.16. */
  readonly verifiedInstructions: number
  /** Bytes. */
  readonly translatedLength: number
  /** Bytes of machine code; 0 without JIT. */
  readonly jitedLength: number
}

export function describeProgram(fd: number): ProgramDescription {
  const info = new Uint8Array(ProgramInfo.size)
  check('bpf_obj_get_info_by_fd', libbpf().infoByFd(fd, info, [info.length]), `program fd ${fd}`)
  const raw = koffi.decode(info, ProgramInfo)
  return {
    id: raw.id,
    type: raw.type,
    name: raw.name,
    tag: Buffer.from(raw.tag).toString('hex'),
    verifiedInstructions: raw.verified_insns,
    translatedLength: raw.xlated_prog_len,
    jitedLength: raw.jited_prog_len,
  }
}

/** Describes a program by its id; undefined when it is gone. */
export function describeProgramById(id: number): ProgramDescription | undefined {
  try {
    const fd = check('bpf_prog_get_fd_by_id', libbpf().programFdById(id), `program ${id}`)
    try {
      return describeProgram(fd)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (isNativeError(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Ids of all programs in the kernel, whoever loaded them. */
export function* programIds(): Generator<number, void, undefined> {
  for (let id = 0; ; ) {
    const next: [number] = [0]
    const status = libbpf().programNextId(id, next)
    if (status === -Errno.ENOENT) return
    check('bpf_prog_get_next_id', status, `program ${id}`)
    id = next[0]
    yield id
  }
}
