// SPDX-License-Identifier: Apache-2.0
/** Keeps the programs attached to the devices and the cgroup that they belong to, by pinned links. */

import { statSync } from 'node:fs'
import { join } from 'node:path'
import { ensurePinDirectory, pinnedNames, unpin } from '../bpf/bpffs.ts'
import { BpfLink } from '../bpf/link.ts'
import { attachCgroup, attachTc, attachXdp } from '../bpf/links.ts'
import type { ProgramHandle } from '../bpf/program.ts'
import type { XdpPolicy } from '../config/config.ts'
import type { NodeDevice } from './classify-devices.ts'

/** How a device is served, for people and for the devices map. */
export interface Attachment {
  readonly device: string
  readonly ifindex: number
  readonly class: 'net' | 'pod'
  /** `none`: tc does all. */
  readonly xdp: 'native' | 'generic' | 'none'
  /** Why XDP is not native, or not at all, where it was tried. */
  readonly xdpRefusal: string | undefined
  /** Undefined: the programs could not be attached. */
  readonly tc: 'tcx' | 'clsact' | undefined
  readonly error: string | undefined
}

interface Point {
  readonly program: string
  readonly direction: 'ingress' | 'egress'
}

const points: Readonly<Record<'net' | 'pod', readonly Point[]>> = {
  net: [
    { program: 'tc_net_in', direction: 'ingress' },
    { program: 'tc_net_out', direction: 'egress' },
  ],
  pod: [
    { program: 'tc_pod_in', direction: 'ingress' },
    { program: 'tc_pod_out', direction: 'egress' },
  ],
}

const XDP_PROGRAM = 'xdp_net'

/**
 * What a veth's program sends back lies in the peer's ring until something else wakes it, unless the peer has a program
 * too (drivers/net/veth.c, veth_xdp_flush()); nobody can see that from this end.
 */
const VETH_REFUSAL = 'a veth whose peer may have no XDP program; --xdp native if it has one'
const SOCKET_PREFIX = 'sock_'

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

export interface AttacherOptions {
  readonly programs: ReadonlyMap<string, ProgramHandle>
  readonly xdp: XdpPolicy
  /** Folder of the pinned links; made when it is missing. */
  readonly directory: string
  /** Device, hook and reason of what could not be attached. */
  readonly onError: (context: string, error: unknown) => void
}

/**
 * Attaches, updates and detaches. Links are pinned by program and ifindex: a restart puts the new program in their
 * place, so that no packet passes without one.
 */
export class Attacher {
  readonly #options: AttacherOptions
  /** Links that already run this process's programs. */
  readonly #current = new Set<string>()
  readonly #attachments = new Map<number, Attachment>()

  constructor(options: AttacherOptions) {
    this.#options = options
    ensurePinDirectory(options.directory)
  }

  get attachments(): readonly Attachment[] {
    return [...this.#attachments.values()]
  }

  /** The mode of XDP by ifindex. */
  get xdpModes(): ReadonlyMap<number, 'native' | 'generic'> {
    const modes = new Map<number, 'native' | 'generic'>()
    for (const { ifindex, xdp } of this.#attachments.values()) if (xdp !== 'none') modes.set(ifindex, xdp)
    return modes
  }

  /** Brings the links to what the devices want; those of devices that are gone or of another class now are dropped. */
  syncDevices(devices: readonly NodeDevice[]): void {
    const wanted = new Set<string>()
    const present = new Set<number>()
    for (const device of devices) {
      if (device.class !== 'net' && device.class !== 'pod') continue
      present.add(device.ifindex)
      if (!device.ethernet && !device.loopback) {
        this.#attachments.set(device.ifindex, this.#unsupported(device, device.class))
        continue
      }
      const names = points[device.class].map(({ program }) => `${program}_${device.ifindex}`)
      if (this.#usesXdp(device)) names.push(`${XDP_PROGRAM}_${device.ifindex}`)
      for (const name of names) wanted.add(name)
      const known = this.#attachments.get(device.ifindex)
      const settled = known?.class === device.class && known.error === undefined
      if (settled && names.every((name) => this.#current.has(name))) continue
      this.#attachments.set(device.ifindex, this.#attachDevice(device, device.class))
    }
    for (const ifindex of this.#attachments.keys()) if (!present.has(ifindex)) this.#attachments.delete(ifindex)
    for (const name of pinnedNames(this.#options.directory)) {
      if (!name.startsWith(SOCKET_PREFIX) && !wanted.has(name)) this.#drop(name)
    }
  }

  /** Attaches the socket programs that are loaded to a cgroup; undefined: detaches those of a former agent. */
  syncSockets(cgroup: string | undefined): void {
    const wanted = new Set<string>()
    if (cgroup !== undefined) {
      const cgroupId = statSync(cgroup, { bigint: true }).ino
      for (const [name, program] of this.#options.programs) {
        if (!name.startsWith(SOCKET_PREFIX)) continue
        wanted.add(name)
        const isOurs = (link: BpfLink) => {
          const info = link.info()
          return info.type === 'cgroup' && info.cgroupId === cgroupId
        }
        this.#ensure(name, program, isOurs, () =>
          attachCgroup({ programFd: program.fd, attachType: program.attachType, cgroup }),
        )
      }
    }
    for (const name of pinnedNames(this.#options.directory)) {
      if (name.startsWith(SOCKET_PREFIX) && !wanted.has(name)) this.#drop(name)
    }
  }

  /** Said once: the programs find a packet's IP header behind its Ethernet header. */
  #unsupported({ name, ifindex }: NodeDevice, deviceClass: 'net' | 'pod'): Attachment {
    const known = this.#attachments.get(ifindex)
    if (known !== undefined) return known
    const error = 'frames have no Ethernet header: Services are not translated on this device'
    this.#options.onError(name, new Error(error))
    return { device: name, ifindex, class: deviceClass, xdp: 'none', xdpRefusal: undefined, tc: undefined, error }
  }

  #attachDevice(device: NodeDevice, deviceClass: 'net' | 'pod'): Attachment {
    const { name, ifindex } = device
    const xdp = this.#attachXdp(device)
    let tc: Attachment['tc']
    let error: string | undefined
    for (const { program, direction } of points[deviceClass]) {
      try {
        tc = this.#attachTc(program, ifindex, direction)
      } catch (cause) {
        error = messageOf(cause)
        this.#options.onError(`${name} tc ${direction}`, cause)
      }
    }
    return { device: name, ifindex, class: deviceClass, ...xdp, tc, error }
  }

  #attachTc(name: string, ifindex: number, direction: 'ingress' | 'egress'): 'tcx' | 'clsact' {
    const program = this.#program(name)
    let api: 'tcx' | 'clsact' = 'tcx'
    this.#ensure(`${name}_${ifindex}`, program, isOnDevice(ifindex), () => {
      const attached = attachTc({ programFd: program.fd, ifindex, direction })
      api = attached.api
      // A clsact filter stays by itself; the same priority is replaced at the next start.
      return attached.api === 'tcx' ? attached.link : undefined
    })
    return api
  }

  #attachXdp(device: NodeDevice): Pick<Attachment, 'xdp' | 'xdpRefusal'> {
    const { xdp: mode } = this.#options
    if (!this.#usesXdp(device)) {
      return { xdp: 'none', xdpRefusal: mode === 'auto' && device.veth ? VETH_REFUSAL : undefined }
    }
    const program = this.#program(XDP_PROGRAM)
    // Of a link that is taken over the kernel does not tell the mode, the device does.
    let xdp: Attachment['xdp'] = device.xdpMode ?? 'native'
    let xdpRefusal: string | undefined
    try {
      this.#ensure(`${XDP_PROGRAM}_${device.ifindex}`, program, isOnDevice(device.ifindex), () => {
        const attached = attachXdp({
          programFd: program.fd,
          ifindex: device.ifindex,
          mode: mode === 'off' ? 'auto' : mode,
        })
        xdp = attached.mode
        xdpRefusal = attached.nativeRefusal?.message
        return attached.link
      })
      return { xdp, xdpRefusal }
    } catch (error) {
      this.#current.add(`${XDP_PROGRAM}_${device.ifindex}`)
      return { xdp: 'none', xdpRefusal: messageOf(error) }
    }
  }

  /** What comes from a wire: not lo, not tunnels, not pods, no frames without Ethernet header. */
  #usesXdp({ class: deviceClass, ethernet, loopback, overlay, veth }: NodeDevice): boolean {
    const { xdp } = this.#options
    if (xdp === 'off' || (xdp === 'auto' && veth)) return false
    return deviceClass === 'net' && ethernet && !loopback && !overlay
  }

  #program(name: string): ProgramHandle {
    const program = this.#options.programs.get(name)
    if (program === undefined) throw new Error(`The BPF object has no program ${name}`)
    return program
  }

  /** Takes a pinned link over, or makes a new one. */
  #ensure(
    name: string,
    program: ProgramHandle,
    isOurs: (link: BpfLink) => boolean,
    create: () => BpfLink | undefined,
  ): void {
    if (this.#current.has(name)) return
    const path = join(this.#options.directory, name)
    const pinned = BpfLink.openPinned(path)
    if (pinned !== undefined) {
      try {
        if (isOurs(pinned)) {
          pinned.update(program.fd)
          this.#current.add(name)
          return
        }
      } catch (error) {
        this.#options.onError(`${name}: cannot put the new program in the place of the old one`, error)
      } finally {
        pinned.close()
      }
      this.#drop(name)
    }
    const link = create()
    if (link !== undefined) {
      link.pin(path)
      link.close()
    }
    this.#current.add(name)
  }

  #drop(name: string): void {
    const path = join(this.#options.directory, name)
    try {
      const link = BpfLink.openPinned(path)
      link?.detach()
      link?.close()
    } catch {
      // The link of a device that is gone has nothing to detach.
    }
    unpin(path)
    this.#current.delete(name)
  }
}

function isOnDevice(ifindex: number): (link: BpfLink) => boolean {
  return (link) => {
    const info = link.info()
    return (info.type === 'xdp' || info.type === 'tcx') && info.ifindex === ifindex
  }
}
