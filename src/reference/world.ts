// SPDX-License-Identifier: Apache-2.0
/** What the maps tell a program of Services, read into plain objects. */

import { BackendFlags, DeviceFlags, EmptyVerdict, FrontendFlags, FrontendKind, Limits } from '../abi/generated.ts'
import type { Maps } from '../bpf/maps.ts'
import type { AddressText } from './read-frame.ts'

export interface WorldSet {
  /** Backend ids in the order of the table; empty: the set has no endpoint. */
  readonly table: readonly number[]
  readonly id: number
  readonly empty: 'reject' | 'drop'
}

export interface WorldFrontend {
  readonly service: number
  readonly clusterIp: boolean
  readonly guarded: boolean
  readonly loopback: boolean
  /** Clients outside have a policy of their own. */
  readonly scoped: boolean
  readonly refusesUnknown: boolean
  readonly answersPing: boolean
  /** Undefined without affinity. */
  readonly affinity: { readonly id: bigint; readonly seconds: number } | undefined
  readonly internal: WorldSet
  readonly external: WorldSet
}

export interface WorldBackend {
  readonly address: AddressText
  readonly port: number
  readonly local: boolean
  readonly serving: boolean
}

export interface World {
  /** Port 0 and protocol 0: the address as a whole. */
  frontend(address: AddressText, port: number, protocol: number): WorldFrontend | undefined
  backend(id: number): WorldBackend
  /** The backend of an affinity set that has an address; undefined: none. */
  member(set: number, address: AddressText): number | undefined
  /** loadBalancerSourceRanges. */
  allows(service: number, client: AddressText): boolean
  holdsServiceCidr(address: AddressText): boolean
  /** Whether what comes in by the device is a pod's of the cluster. */
  deviceIsInCluster(ifindex: number): boolean
}

/** Reads the maps as they are now; of the arena what sets name. */
export function readWorld(maps: Maps): World {
  const frontends = new Map<string, WorldFrontend>()
  const sets = new Map<string, WorldSet>()
  const readSet = ({ offset, slots, id, empty }: { offset: number; slots: number; id: number; empty: number }) => {
    const key = `${offset} ${slots} ${id} ${empty}`
    const known = sets.get(key)
    if (known) return known
    const table = Array.from({ length: slots }, (_, slot) => maps.arena.words[offset + slot]!)
    const set: WorldSet = { table, id, empty: empty === EmptyVerdict.EMPTY_DROP ? 'drop' : 'reject' }
    sets.set(key, set)
    return set
  }
  for (const [key, value] of maps.frontends.entries()) {
    const has = (flag: number) => (value.flags & flag) !== 0
    frontends.set(`${textOf(key.addr)} ${key.port} ${key.proto}`, {
      service: value.service,
      clusterIp: value.kind === FrontendKind.FE_CLUSTER_IP,
      guarded: has(FrontendFlags.FE_F_SOURCE_RANGES),
      loopback: has(FrontendFlags.FE_F_LOOPBACK),
      scoped: has(FrontendFlags.FE_F_SCOPED),
      refusesUnknown: has(FrontendFlags.FE_F_REFUSE_UNKNOWN),
      answersPing: has(FrontendFlags.FE_F_ANSWER_PING),
      affinity: has(FrontendFlags.FE_F_AFFINITY) ? { id: value.affinityId, seconds: value.affinityS } : undefined,
      internal: readSet(value.sets[0]!),
      external: readSet(value.sets[1]!),
    })
  }
  const members = new Map<string, number>()
  for (const [{ set, addr }, { backend }] of maps.members.entries()) members.set(`${set} ${textOf(addr)}`, backend)
  const ranges = [...maps.source_ranges.entries()].map(([{ prefixlen, service, addr }]) => ({
    service,
    contains: prefixTest(textOf(addr), prefixlen - 32),
  }))
  const control = maps.control.get(0)
  const cidrs = control.serviceCidrs.slice(0, Math.min(control.serviceCidrsLen, Limits.CIDR_MAX))
  const inCluster = new Set(
    [...maps.devices.entries()]
      .filter(([, { flags }]) => flags & DeviceFlags.DEV_F_IN_CLUSTER)
      .map(([ifindex]) => ifindex),
  )
  return {
    frontend: (address, port, protocol) => frontends.get(`${address} ${port} ${protocol}`),
    backend: backendReader(maps),
    member: (set, address) => members.get(`${set} ${address}`),
    allows: (service, client) => ranges.some((range) => range.service === service && range.contains(client)),
    holdsServiceCidr: (address) => cidrs.some(({ addr, mask }) => inCidr(address, addr, mask)),
    deviceIsInCluster: (ifindex) => inCluster.has(ifindex),
  }
}

function backendReader(maps: Maps): World['backend'] {
  const known = new Map<number, WorldBackend>()
  return (id) => {
    let backend = known.get(id)
    if (!backend) {
      const { addr, port, flags } = maps.backends.get(id)
      const local = (flags & BackendFlags.BE_F_LOCAL) !== 0
      backend = { address: textOf(addr), port, local, serving: (flags & BackendFlags.BE_F_SERVING) !== 0 }
      known.set(id, backend)
    }
    return backend
  }
}

export function textOf(address: Uint8Array): AddressText {
  return String.fromCharCode(...address)
}

export function inCidr(address: AddressText, network: Uint8Array, mask: Uint8Array): boolean {
  return network.every((byte, index) => (address.charCodeAt(index) & mask[index]!) === byte)
}

function prefixTest(network: AddressText, bits: number): (address: AddressText) => boolean {
  const bit = (address: string, index: number) => (address.charCodeAt(index >> 3) >> (7 - (index & 7))) & 1
  return (address) => {
    for (let index = 0; index < bits; index++) if (bit(address, index) !== bit(network, index)) return false
    return true
  }
}
