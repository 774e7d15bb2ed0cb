// SPDX-License-Identifier: Apache-2.0
/** Attaches programs to devices and cgroups. Devices are those of the calling thread's network namespace. */

import { closeSync, openSync } from 'node:fs'
import koffi from 'koffi'
import { check, isNativeError, type NativeError } from '../ffi/check.ts'
import { libbpf } from '../ffi/libbpf.ts'
import { LinkCreateOpts } from '../ffi/libbpf-types.ts'
import { attachClassic, type ClassicFilter } from './classic-filter.ts'
import { BpfLink } from './link.ts'

// enum bpf_attach_type (linux/bpf.h); tcx came with Linux 6.6, after libbpf 1.1, which hands the numbers through.
const BPF_XDP = 37
const BPF_TCX_INGRESS = 46
const BPF_TCX_EGRESS = 47

// linux/if_link.h
const XDP_FLAGS_SKB_MODE = 2
const XDP_FLAGS_DRV_MODE = 4

export type XdpMode = 'native' | 'generic'
export type TcDirection = 'ingress' | 'egress'

/** An attached XDP program. */
export interface XdpAttachment {
  readonly link: BpfLink
  readonly mode: XdpMode
  /** Why the driver's own XDP was not taken, where it was tried. */
  readonly nativeRefusal: NativeError | undefined
}

/**
 * Attaches an XDP program: the driver's own XDP where the device has it, else the generic one, which runs on finished
 * socket buffers. A program that is attached already (EBUSY) and missing rights are errors, not a reason to fall back; a
 * device that does not exist is EINVAL.
 *
 * @param options.mode Default `auto`.
 */
export function attachXdp(options: {
  readonly programFd: number
  readonly ifindex: number
  readonly mode?: XdpMode | 'auto'
}): XdpAttachment {
  const { programFd, ifindex, mode = 'auto' } = options
  const context = `XDP of device ${ifindex}`
  const create = (flags: number) => new BpfLink(createLink(programFd, ifindex, BPF_XDP, flags, context), context)
  if (mode === 'generic') return { link: create(XDP_FLAGS_SKB_MODE), mode, nativeRefusal: undefined }
  try {
    return { link: create(XDP_FLAGS_DRV_MODE), mode: 'native', nativeRefusal: undefined }
  } catch (error) {
    if (mode === 'native' || !isNativeError(error) || ['EBUSY', 'EEXIST', 'EPERM', 'EBADF'].includes(error.code))
      throw error
    return { link: create(XDP_FLAGS_SKB_MODE), mode: 'generic', nativeRefusal: error }
  }
}

/** An attached tc program. */
export type TcAttachment =
  | { readonly api: 'tcx'; readonly link: BpfLink }
  | { readonly api: 'clsact'; readonly filter: ClassicFilter }

/**
 * Attaches a tc program by tcx; by a clsact filter where the kernel has no tcx (before 6.6).
 *
 * @param options.api Default `auto`.
 * @param options.priority Of the clsact filter, 1…65535; lower runs first. Default 1.
 */
export function attachTc(options: {
  readonly programFd: number
  readonly ifindex: number
  readonly direction: TcDirection
  readonly api?: 'auto' | 'tcx' | 'clsact'
  readonly priority?: number
}): TcAttachment {
  const { programFd, ifindex, direction, api = 'auto', priority = 1 } = options
  const context = `tc ${direction} of device ${ifindex}`
  const classic = (): TcAttachment => ({
    api: 'clsact',
    filter: attachClassic({ programFd, ifindex, direction, priority }),
  })
  if (api === 'clsact') return classic()
  try {
    const attachType = direction === 'ingress' ? BPF_TCX_INGRESS : BPF_TCX_EGRESS
    return { api: 'tcx', link: new BpfLink(createLink(programFd, ifindex, attachType, 0, context), context) }
  } catch (error) {
    // An attach type that the kernel does not know.
    if (api === 'auto' && isNativeError(error, 'EINVAL', 'EOPNOTSUPP')) return classic()
    throw error
  }
}

/**
 * Attaches a cgroup program to a cgroup v2 and all below it.
 *
 * @param options.attachType enum bpf_attach_type, as the program's handle tells it.
 */
export function attachCgroup(options: {
  readonly programFd: number
  readonly attachType: number
  /** Folder in a cgroup2 mount. */
  readonly cgroup: string
}): BpfLink {
  const cgroupFd = openSync(options.cgroup, 'r')
  try {
    const context = `cgroup ${options.cgroup}`
    return new BpfLink(createLink(options.programFd, cgroupFd, options.attachType, 0, context), context)
  } finally {
    closeSync(cgroupFd)
  }
}

/** @param target A cgroup's descriptor, or a device's index: one argument of the system call stands for both. */
function createLink(programFd: number, target: number, attachType: number, flags: number, context: string): number {
  const opts = { sz: koffi.sizeof(LinkCreateOpts), flags, iter_info_len: 0, iter_info: null, target_btf_id: 0 }
  return check('bpf_link_create', libbpf().linkCreate(programFd, target, attachType, opts), context)
}
