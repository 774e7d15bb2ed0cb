// SPDX-License-Identifier: Apache-2.0
/** Tells when links, addresses, routes, rules or neighbours of the network namespace changed (rtnetlink(7)). */

import { closeSync } from 'node:fs'
import { check, Errno } from './check.ts'
import { bindSocket, openSocket, receive } from './libc.ts'
import { NeighbourChanges } from './neighbour-changes.ts'
import { readable } from './readable.ts'

// linux/netlink.h, linux/rtnetlink.h
const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_NONBLOCK = 0x800
const NETLINK_ROUTE = 0
const MSG_TRUNC = 0x20
const NLMSG_HEADER_LENGTH = 16

/** RTMGRP_*: groups of rtnetlink, as bits. */
const groups = {
  link: 1,
  neighbour: 4,
  address4: 0x10,
  route4: 0x40,
  rule4: 0x80,
  address6: 0x100,
  route6: 0x400,
  rule6: 0x40000,
}

/**
 * What a change is of. `neighbour`: one has another link-layer address, or none any more; `overrun`: messages were lost,
 * so anything may have changed.
 */
export type NetworkChange = 'link' | 'address' | 'route' | 'neighbour' | 'rule' | 'overrun'

/** RTM_NEW*, RTM_DEL*: four numbers a kind, from RTM_BASE 16. */
const kinds: Readonly<Record<number, NetworkChange>> = {
  4: 'link',
  5: 'address',
  6: 'route',
  7: 'neighbour',
  8: 'rule',
}

/**
 * Yields what kinds of things changed, coalesced over what was there to read, until `signal` aborts. The socket listens
 * as soon as this function returns, in the network namespace of that moment: read the state after that, not before.
 * The result must be iterated, else the socket stays open.
 */
export function networkChanges(signal: AbortSignal): AsyncGenerator<ReadonlySet<NetworkChange>, void, undefined> {
  const fd = openSocket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE, 'rtnetlink')
  try {
    bindSocket(fd, socketAddress(Object.values(groups).reduce((all, group) => all | group, 0)), 'rtnetlink')
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return changesOn(fd, signal)
}

async function* changesOn(
  fd: number,
  signal: AbortSignal,
): AsyncGenerator<ReadonlySet<NetworkChange>, void, undefined> {
  try {
    const buffer = new Uint8Array(65536)
    const neighbours = new NeighbourChanges()
    for await (const _ of readable(fd, signal)) {
      const changes = drain(fd, buffer, neighbours)
      if (changes.size > 0) yield changes
    }
  } finally {
    closeSync(fd)
  }
}

/** struct sockaddr_nl; port 0: the kernel chooses. */
function socketAddress(groupBits: number): Uint8Array {
  const bytes = new Uint8Array(12)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, AF_NETLINK, true)
  view.setUint32(8, groupBits, true)
  return bytes
}

function drain(fd: number, buffer: Uint8Array, neighbours: NeighbourChanges): Set<NetworkChange> {
  const changes = new Set<NetworkChange>()
  for (;;) {
    const length = receive(fd, buffer, MSG_TRUNC)
    if (length === -Errno.EAGAIN) return changes
    if (length === -Errno.EINTR) continue
    if (length === -Errno.ENOBUFS) changes.add('overrun')
    else {
      check('recv', length, 'rtnetlink')
      if (length > buffer.length) changes.add('overrun')
      collectKinds(buffer.subarray(0, Math.min(length, buffer.length)), changes, neighbours)
    }
  }
}

/** Walks struct nlmsghdr by nlmsghdr, each aligned to 4. */
function collectKinds(message: Uint8Array, changes: Set<NetworkChange>, neighbours: NeighbourChanges): void {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  for (let offset = 0; offset + NLMSG_HEADER_LENGTH <= message.length; ) {
    const length = view.getUint32(offset, true)
    if (length < NLMSG_HEADER_LENGTH) return
    const type = view.getUint16(offset + 4, true)
    const kind = kinds[type >> 2]
    const payload = message.subarray(offset + NLMSG_HEADER_LENGTH, offset + length)
    if (kind && (kind !== 'neighbour' || neighbours.matters(type, payload))) changes.add(kind)
    offset += (length + 3) & ~3
  }
}
