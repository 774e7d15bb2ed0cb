// SPDX-License-Identifier: Apache-2.0
/** Where an instance's programs are attached: what its pinned links hold. */

import { join } from 'node:path'
import { pinnedNames } from '../../bpf/bpffs.ts'
import { BpfLink, type LinkInfo } from '../../bpf/link.ts'
import { describeProgramById } from '../../bpf/program.ts'
import type { InstanceDevices } from '../live/devices.ts'

export interface HookRow {
  /** Name of the pin. */
  readonly link: string
  readonly type: LinkInfo['type']
  /** '' for a cgroup, and for a device that is gone or in another network namespace. */
  readonly device: string
  /** 0: none. */
  readonly ifindex: number
  readonly program: string
  readonly programId: number
  /** `native` or `generic` for XDP, '' otherwise. */
  readonly mode: string
}

/** Sorted by device, then by pin. */
export function readHooks(directory: string, devices: InstanceDevices): HookRow[] {
  const rows = pinnedNames(directory).flatMap((name) => {
    using link = BpfLink.openPinned(join(directory, name))
    return link === undefined ? [] : [hookRow(name, link.info(), devices)]
  })
  return rows.sort((a, b) => a.ifindex - b.ifindex || (a.link < b.link ? -1 : 1))
}

function hookRow(link: string, info: LinkInfo, devices: InstanceDevices): HookRow {
  const ifindex = (info.type === 'xdp' || info.type === 'tcx' ? info.ifindex : undefined) ?? 0
  return {
    link,
    type: info.type,
    device: ifindex === 0 ? '' : devices.name(ifindex),
    ifindex,
    program: describeProgramById(info.programId)?.name ?? '',
    programId: info.programId,
    mode: info.type === 'xdp' ? devices.xdpMode(ifindex) : '',
  }
}
