// SPDX-License-Identifier: Apache-2.0
/** The programs loaded with private maps, in which stand 10,000 Services and the two that the bench talks to. */

import { join } from 'node:path'
import { unspecifiedAddress } from '../../../src/abi/address.ts'
import {
  abiFingerprint,
  BackendFlags,
  type BackendSet,
  type Config,
  DeviceFlags,
  EmptyVerdict,
  FrontendFlags,
  FrontendKind,
} from '../../../src/abi/generated.ts'
import { type Maps, mapsOf } from '../../../src/bpf/maps.ts'
import { loadObject } from '../../../src/bpf/object.ts'
import type { ProgramHandle } from '../../../src/bpf/program.ts'
import { bitOf, setBit } from '../../../src/dataplane/filter-bits.ts'
import { type AddressPlan, addressPlan, bytesOf, POD_PORT, VIP_PORT } from './addresses.ts'
import { type BenchNetwork, PODS } from './bench-network.ts'

export const programObject = join(import.meta.dirname, '../../../bpf/dist/maglane.bpf.o')

/** Services beside those that the bench talks to: a large cluster's tables are not in the first cache. */
const OTHER_SERVICES = 10_000
/** The prime that a set of {@link PODS} backends gets. */
const SLOTS = 10_007
const TCP = 6
const UDP = 17

export interface World extends Disposable {
  readonly maps: Maps
  program(name: string): ProgramHandle
}

/** What is loaded, and how large the tables of flows are. */
export interface WorldOptions {
  readonly programs: readonly string[]
  /** Entries of `flows`; default: as in C. */
  readonly flows?: number
  readonly config?: Partial<Config>
  /** Default: {@link programObject}. */
  readonly object?: string
  readonly network: BenchNetwork
}

export function createWorld({ programs, flows, config, object: file = programObject, network }: WorldOptions): World {
  const object = loadObject({
    object: file,
    programs,
    maxEntries: { arena: 1 << 13, ...(flows === undefined ? {} : { flows }) },
    ...(config ? { config } : {}),
  })
  const { maps, close } = mapsOf(object.maps)
  const emptyCidr = { addr: unspecifiedAddress, mask: unspecifiedAddress }
  maps.control.set(0, {
    abi: abiFingerprint,
    hopEpoch: 1,
    events: 0n,
    serviceCidrsLen: 0,
    serviceCidrs: Array.from({ length: 8 }, () => emptyCidr),
  })
  for (const ifindex of [network.nic, network.pod]) {
    maps.devices.set(ifindex, {
      flags: ifindex === network.pod ? DeviceFlags.DEV_F_POD : DeviceFlags.DEV_F_XDP,
      master: 0,
      addr4: bytesOf(addressPlan(4).node),
      addr6: bytesOf(addressPlan(6).node),
      mac: [2, 0, 0, 0, 0, 2],
    })
  }
  const services = new Services(maps)
  for (const family of [4, 6] as const) services.addFamily(addressPlan(family))
  return {
    maps,
    program: (name) => object.programs.get(name)!,
    [Symbol.dispose]() {
      close()
      object.close()
    },
  }
}

/** Numbers backends, slots and service ports as it adds them. */
class Services {
  readonly #maps: Maps
  #backend = 1
  #slot = 0
  #service = 1

  constructor(maps: Maps) {
    this.#maps = maps
  }

  addFamily(plan: AddressPlan): void {
    const own = Array.from({ length: PODS }, (_, index) => index)
    const local = own.map((index) => plan.localPod(index))
    const remote = own.map((index) => plan.remotePod(index))
    for (const protocol of [TCP, UDP]) {
      this.#add(plan.localVip, protocol, FrontendKind.FE_LOAD_BALANCER_IP, this.#addSet(local, protocol, true))
      this.#add(plan.remoteVip, protocol, FrontendKind.FE_LOAD_BALANCER_IP, this.#addSet(remote, protocol, false))
    }
    const others = this.#addSet(remote, TCP, false)
    for (let index = 0; index < OTHER_SERVICES; index++) {
      this.#add(plan.otherVip(index), TCP, FrontendKind.FE_CLUSTER_IP, others)
    }
  }

  #addSet(pods: readonly string[], protocol: number, local: boolean): BackendSet {
    const first = this.#backend
    for (const pod of pods) {
      const id = this.#backend++
      const flags = BackendFlags.BE_F_SERVING | (local ? BackendFlags.BE_F_LOCAL : 0)
      this.#maps.backends.set(id, { addr: bytesOf(pod), port: POD_PORT, proto: protocol, flags, affinityId: 0n })
      setBit(this.#maps.filter.words, bitOf(pod, POD_PORT, protocol))
    }
    const offset = this.#slot
    const { words } = this.#maps.arena
    for (let slot = 0; slot < SLOTS; slot++) words[this.#slot++] = first + (slot % pods.length)
    return { offset, slots: SLOTS, id: 0, empty: EmptyVerdict.EMPTY_REJECT }
  }

  #add(vip: string, protocol: number, kind: number, set: BackendSet): void {
    const frontend = { service: this.#service++, kind, flags: 0, affinityS: 0, affinityId: 0n, sets: [set, set] }
    const addr = bytesOf(vip)
    this.#maps.frontends.set({ addr, port: VIP_PORT, proto: protocol }, frontend)
    setBit(this.#maps.filter.words, bitOf(vip, VIP_PORT, protocol))
    if (kind !== FrontendKind.FE_CLUSTER_IP) return
    const flags = FrontendFlags.FE_F_WILDCARD | FrontendFlags.FE_F_REFUSE_UNKNOWN
    this.#maps.frontends.set({ addr, port: 0, proto: 0 }, { ...frontend, flags })
    setBit(this.#maps.filter.words, bitOf(vip, 0, 0))
  }
}
