// SPDX-License-Identifier: Apache-2.0
/** Who talks to whom in the benches: the addresses of the namespace, its Services and its clients, by family. */

import { type Address, parseAddress } from '../../../src/abi/address.ts'

export type Family = 4 | 6

/** Addresses as text; functions take a number below 65,536. */
export interface AddressPlan {
  readonly family: Family
  readonly node: string
  /** On the same network: the way to the clients, and to the pods of the other node. */
  readonly router: string
  readonly otherNode: string
  readonly clients: string
  readonly localPods: string
  readonly remotePods: string
  readonly prefix: { readonly node: number; readonly clients: number; readonly pods: number }
  readonly localVip: string
  readonly remoteVip: string
  client(index: number): string
  localPod(index: number): string
  remotePod(index: number): string
  /** An address that is no Service's. */
  stranger(index: number): string
  /** The ClusterIP of a Service that only fills the tables. */
  otherVip(index: number): string
}

const dotted = (index: number) => `${index >> 8}.${index & 0xff}`
const hex = (index: number) => index.toString(16)

// Private and documentation ranges; nothing leaves the namespace in any case.
const plans: Readonly<Record<Family, AddressPlan>> = {
  4: {
    family: 4,
    node: '10.200.0.1',
    router: '10.200.0.2',
    otherNode: '10.200.0.3',
    clients: '10.9.0.0',
    localPods: '10.244.0.0',
    remotePods: '10.244.1.0',
    prefix: { node: 24, clients: 16, pods: 24 },
    localVip: '192.0.2.1',
    remoteVip: '192.0.2.2',
    client: (index) => `10.9.${dotted(index)}`,
    localPod: (index) => `10.244.0.${index + 1}`,
    remotePod: (index) => `10.244.1.${index + 1}`,
    stranger: (index) => `172.20.${dotted(index)}`,
    otherVip: (index) => `10.96.${dotted(index)}`,
  },
  6: {
    family: 6,
    node: 'fd00:200::1',
    router: 'fd00:200::2',
    otherNode: 'fd00:200::3',
    clients: 'fd00:9::',
    localPods: 'fd00:244:0::',
    remotePods: 'fd00:244:1::',
    prefix: { node: 64, clients: 64, pods: 64 },
    localVip: '2001:db8::1',
    remoteVip: '2001:db8::2',
    client: (index) => `fd00:9::1:${hex(index)}`,
    localPod: (index) => `fd00:244:0::${hex(index + 1)}`,
    remotePod: (index) => `fd00:244:1::${hex(index + 1)}`,
    stranger: (index) => `fd00:20::1:${hex(index)}`,
    otherVip: (index) => `fd00:96::${hex(index + 1)}`,
  },
}

export function addressPlan(family: Family): AddressPlan {
  return plans[family]
}

/** A client's port, 1024…65535: no two flows of a bench share address and port. */
export function clientPort(index: number): number {
  return 1024 + ((index * 7919) % 64512)
}

export const VIP_PORT = 80
export const POD_PORT = 8080

export function bytesOf(text: string): Address {
  return parseAddress(text)
}
