// SPDX-License-Identifier: Apache-2.0
/** tc programs as filters of a clsact qdisc: for kernels without tcx. They stay when the process goes. */

import koffi from 'koffi'
import { check, Errno } from '../ffi/check.ts'
import { libbpf } from '../ffi/libbpf.ts'
import { TcHook, TcOpts } from '../ffi/libbpf-types.ts'

// enum bpf_tc_attach_point, bpf_tc_opts.flags (bpf/libbpf.h)
const attachPoints = { ingress: 1, egress: 2 } as const
const BPF_TC_F_REPLACE = 1

/** The only handle that is used: a filter is told by device, direction and priority. */
const HANDLE = 1

/** Names one filter; it can be made again from a device, a direction and a priority. */
export interface ClassicFilter {
  readonly ifindex: number
  readonly direction: keyof typeof attachPoints
  /** 1…65535; lower runs first. */
  readonly priority: number
}

/** Attaches a program, in place of one that has the same priority. The clsact qdisc is made when there is none, and left behind. */
export function attachClassic(options: ClassicFilter & { readonly programFd: number }): ClassicFilter {
  const { programFd, ifindex, direction, priority } = options
  const created = libbpf().tcHookCreate(hookOf(options))
  if (created !== -Errno.EEXIST) check('bpf_tc_hook_create', created, contextOf(options))
  const opts = { ...optsOf(options), prog_fd: programFd, flags: BPF_TC_F_REPLACE }
  check('bpf_tc_attach', libbpf().tcAttach(hookOf(options), opts), contextOf(options))
  return { ifindex, direction, priority }
}

/** Takes the filter away; false when there was none. */
export function detachClassic(filter: ClassicFilter): boolean {
  const status = libbpf().tcDetach(hookOf(filter), optsOf(filter))
  // EINVAL: no clsact qdisc, or no filter of that priority on it.
  if (status === -Errno.ENOENT || status === -Errno.EINVAL || status === -Errno.ENODEV) return false
  check('bpf_tc_detach', status, contextOf(filter))
  return true
}

/** Id of the filter's program; undefined when there is none. */
export function classicProgramId(filter: ClassicFilter): number | undefined {
  const opts: { prog_id: number } & Record<string, number> = optsOf(filter)
  const status = libbpf().tcQuery(hookOf(filter), opts)
  if (status === -Errno.ENOENT || status === -Errno.EINVAL || status === -Errno.ENODEV) return undefined
  check('bpf_tc_query', status, contextOf(filter))
  return opts.prog_id
}

function hookOf({ ifindex, direction }: ClassicFilter) {
  return { sz: koffi.sizeof(TcHook), ifindex, attach_point: attachPoints[direction], parent: 0 }
}

function optsOf({ priority }: ClassicFilter) {
  return { sz: koffi.sizeof(TcOpts), prog_fd: 0, flags: 0, prog_id: 0, handle: HANDLE, priority }
}

function contextOf({ ifindex, direction, priority }: ClassicFilter): string {
  return `clsact ${direction} of device ${ifindex}, priority ${priority}`
}
