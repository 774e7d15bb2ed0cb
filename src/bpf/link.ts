// SPDX-License-Identifier: Apache-2.0
/** A BPF link: what holds a program attached for as long as the link is open or pinned. */

import { closeSync, unlinkSync } from 'node:fs'
import koffi from 'koffi'
import { check, isNativeError } from '../ffi/check.ts'
import { libbpf } from '../ffi/libbpf.ts'
import { CgroupLinkInfo, DeviceLinkInfo } from '../ffi/libbpf-types.ts'

/** enum bpf_link_type (linux/bpf.h), as far as maglane makes such links. */
const linkTypes = { 3: 'cgroup', 6: 'xdp', 11: 'tcx' } as const

/** What the kernel says of a link. */
export type LinkInfo =
  | {
      readonly type: 'cgroup'
      readonly id: number
      readonly programId: number
      readonly cgroupId: bigint
      readonly attachType: number
    }
  | {
      readonly type: 'xdp' | 'tcx'
      readonly id: number
      readonly programId: number
      /** Undefined: the device is gone, and the link holds nothing any more. */
      readonly ifindex: number | undefined
      /** enum bpf_attach_type; 0 for XDP. */
      readonly attachType: number
    }
  | { readonly type: 'other'; readonly id: number; readonly programId: number }

/** An open link. Closing it detaches the program unless the link is pinned. */
export class BpfLink implements Disposable {
  readonly fd: number
  readonly #context: string
  #pinPath: string | undefined
  #open = true

  /** @param context What it attaches, for messages: `tcx ingress of eth0`. */
  constructor(fd: number, context: string, pinPath?: string) {
    this.fd = fd
    this.#context = context
    this.#pinPath = pinPath
  }

  /** Where it was pinned or opened from. */
  get pinPath(): string | undefined {
    return this.#pinPath
  }

  /** Opens a pinned link; undefined when nothing is pinned there. */
  static openPinned(path: string): BpfLink | undefined {
    const fd = libbpf().objectGet(path)
    try {
      return new BpfLink(check('bpf_obj_get', fd, path), path, path)
    } catch (error) {
      if (isNativeError(error, 'ENOENT')) return undefined
      throw error
    }
  }

  /** Keeps the program attached when this process is gone. The folder must exist, in bpffs. */
  pin(path: string): void {
    check('bpf_obj_pin', libbpf().objectPin(this.fd, path), `${this.#context} at ${path}`)
    this.#pinPath = path
  }

  /** Takes the pin away; the link lives on while it is open. */
  unpin(): void {
    if (this.#pinPath !== undefined) unlinkSync(this.#pinPath)
    this.#pinPath = undefined
  }

  /** Puts another program of the same type in place of the attached one: no packet sees neither or both. */
  update(programFd: number): void {
    check('bpf_link_update', libbpf().linkUpdate(this.fd, programFd, null), this.#context)
  }

  /** Detaches at once, also when the link is pinned; the pin stays and holds a link to nothing. */
  detach(): void {
    check('bpf_link_detach', libbpf().linkDetach(this.fd), this.#context)
  }

  info(): LinkInfo {
    const bytes = new Uint8Array(128)
    check('bpf_obj_get_info_by_fd', libbpf().infoByFd(this.fd, bytes, [bytes.length]), this.#context)
    const raw = koffi.decode(bytes, DeviceLinkInfo)
    const type = linkTypes[raw.type as keyof typeof linkTypes]
    const common = { id: raw.id, programId: raw.prog_id }
    if (type === undefined) return { type: 'other', ...common }
    if (type === 'cgroup') {
      const cgroup = koffi.decode(bytes, CgroupLinkInfo)
      return { type, ...common, cgroupId: BigInt(cgroup.cgroup_id), attachType: cgroup.attach_type }
    }
    return { type, ...common, ifindex: raw.ifindex || undefined, attachType: type === 'tcx' ? raw.attach_type : 0 }
  }

  /** Closes the descriptor; a second call does nothing. */
  close(): void {
    if (this.#open) closeSync(this.fd)
    this.#open = false
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
