// SPDX-License-Identifier: Apache-2.0
/** Linked Services as keys and values of the maps, one byte a character (see table-state). */

import type { Address } from '../abi/address.ts'
import { parseCidr } from '../abi/cidr.ts'
import {
  BackendFlags,
  type BackendSet,
  backendCodec,
  EmptyVerdict,
  FrontendFlags,
  FrontendKind,
  frontendCodec,
  frontendKeyCodec,
  memberCodec,
  memberKeyCodec,
  serviceNameCodec,
  sourceRangeCodec,
  sourceRangeKeyCodec,
} from '../abi/generated.ts'
import { type Codec, u32Codec } from '../abi/runtime.ts'
import { addressWords } from '../compiler/address-words.ts'
import type { Region } from '../compiler/arena.ts'
import type { CompiledBackend } from '../compiler/compiled-service.ts'
import type { FrontendKind as PlanKind } from '../model/types.ts'

const words = new Uint32Array(4)
const wordBytes = new Uint8Array(words.buffer) as Address
const scratch = Buffer.alloc(256)
const scratchView = new DataView(scratch.buffer, scratch.byteOffset, scratch.byteLength)

const kinds: Readonly<Record<PlanKind, number>> = {
  clusterIP: FrontendKind.FE_CLUSTER_IP,
  nodePort: FrontendKind.FE_NODE_PORT,
  externalIP: FrontendKind.FE_EXTERNAL_IP,
  loadBalancerIP: FrontendKind.FE_LOAD_BALANCER_IP,
}

/** The 16 bytes of a canonical address, valid until the next call. */
function transientAddress(address: string): Address {
  addressWords(address, words)
  return wordBytes
}

function text<T>(codec: Codec<T>, value: T): string {
  codec.encode(value, scratchView, 0)
  return scratch.toString('latin1', 0, codec.size)
}

export function frontendKey(address: string, port: number, protocol: number): string {
  return text(frontendKeyCodec, { addr: transientAddress(address), port, proto: protocol })
}

export interface FrontendValue {
  readonly service: number
  readonly kind: PlanKind
  readonly affinityId: bigint
  readonly affinitySeconds: number
  readonly scoped: boolean
  readonly loopback: boolean
  readonly sourceRanges: boolean
  readonly internal: SetValue
  readonly external: SetValue
}

export interface SetValue {
  /** Undefined: the set is empty. */
  readonly region: Region | undefined
  /** 0: the Service has no affinity. */
  readonly id: number
  readonly empty: 'reject' | 'drop'
}

function setValue(set: SetValue): BackendSet {
  return {
    offset: set.region?.offset ?? 0,
    slots: set.region?.length ?? 0,
    id: set.id,
    empty: set.empty === 'drop' ? EmptyVerdict.EMPTY_DROP : EmptyVerdict.EMPTY_REJECT,
  }
}

export function frontendValue(value: FrontendValue): string {
  const affinity = value.affinitySeconds > 0
  return text(frontendCodec, {
    service: value.service,
    kind: kinds[value.kind],
    flags:
      (affinity ? FrontendFlags.FE_F_AFFINITY : 0) |
      (value.sourceRanges ? FrontendFlags.FE_F_SOURCE_RANGES : 0) |
      (value.loopback ? FrontendFlags.FE_F_LOOPBACK : 0) |
      (value.scoped ? FrontendFlags.FE_F_SCOPED : 0),
    affinityS: value.affinitySeconds,
    affinityId: value.affinityId,
    sets: [setValue(value.internal), setValue(value.external)],
  })
}

export interface WildcardValue {
  readonly service: number
  readonly kind: 'clusterIP' | 'loadBalancerIP' | 'externalIP'
  readonly answerPing: boolean
}

/** The entry of an address as a whole; only a ClusterIP owns all of its ports. */
export function wildcardValue(value: WildcardValue): string {
  const none: BackendSet = { offset: 0, slots: 0, id: 0, empty: EmptyVerdict.EMPTY_REJECT }
  return text(frontendCodec, {
    service: value.service,
    kind: kinds[value.kind],
    flags:
      FrontendFlags.FE_F_WILDCARD |
      (value.kind === 'clusterIP' ? FrontendFlags.FE_F_REFUSE_UNKNOWN : 0) |
      (value.answerPing ? FrontendFlags.FE_F_ANSWER_PING : 0),
    affinityS: 0,
    affinityId: 0n,
    sets: [none, none],
  })
}

export function serviceNameKey(id: number): string {
  return text(u32Codec, id)
}

export function serviceNameValue(namespace: string, name: string, portName: string): string {
  return text(serviceNameCodec, { namespace, name, portName })
}

export function memberKey(set: number, address: string): string {
  return text(memberKeyCodec, { set, addr: transientAddress(address) })
}

export function memberValue(backend: number): string {
  return text(memberCodec, { backend })
}

/** Key of a CIDR that may reach a Service port. @throws AddressError when it is none */
export function sourceRangeKey(service: number, range: string): string {
  const cidr = parseCidr(range)
  // The trie compares the service's id, then the address.
  return text(sourceRangeKeyCodec, { prefixlen: 32 + cidr.bits, service, addr: cidr.address })
}

export const sourceRangeValue = text(sourceRangeCodec, { allow: 1 })

/** Bytes of one element of the backends map. */
export const BACKEND_SIZE = backendCodec.size

/** Writes an element of the backends map; one that no longer serves keeps its address. */
export function writeBackend(
  view: DataView,
  id: number,
  backend: CompiledBackend,
  affinityId: bigint,
  serving: boolean,
): void {
  const { address, port, protocol, local } = backend
  const flags = (serving ? BackendFlags.BE_F_SERVING : 0) | (local ? BackendFlags.BE_F_LOCAL : 0)
  const value = { addr: transientAddress(address), port, proto: protocol, flags, affinityId }
  backendCodec.encode(value, view, id * BACKEND_SIZE)
}

/** Whether a backend ever stood at an id: an element that no one wrote is all zero. */
export function isUsedBackend(words: Uint32Array, id: number): boolean {
  const size = BACKEND_SIZE / Uint32Array.BYTES_PER_ELEMENT
  for (let word = id * size; word < (id + 1) * size; word++) if (words[word] !== 0) return true
  return false
}
