// SPDX-License-Identifier: Apache-2.0
/** Asks the kernel what XDP each device can do, without touching it (generic netlink family `netdev`, Linux 6.3). */

import { closeSync, writeSync } from 'node:fs'
import { check } from '../ffi/check.ts'
import { openSocket, receive } from '../ffi/libc.ts'

/** enum netdev_xdp_act (linux/netdev.h). */
export const XdpFeature = { BASIC: 1, REDIRECT: 2, NDO_XMIT: 4 } as const

// linux/netlink.h, linux/genetlink.h, linux/netdev.h
const AF_NETLINK = 16
const SOCK_RAW = 3
const NETLINK_GENERIC = 16
const MSG_DONTWAIT = 0x40
const NLM_F_REQUEST = 1
const NLM_F_DUMP = 0x300
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const MESSAGE_HEADER = 16
const GENERIC_HEADER = 4
const GENL_ID_CTRL = 16
const CTRL_CMD_GETFAMILY = 3
const CTRL_ATTR_FAMILY_ID = 1
const CTRL_ATTR_FAMILY_NAME = 2
const NETDEV_CMD_DEV_GET = 1
const NETDEV_A_DEV_IFINDEX = 1
const NETDEV_A_DEV_XDP_FEATURES = 3

/** Features by ifindex, of the calling thread's network namespace; undefined: the kernel does not tell. */
export function readXdpFeatures(): ReadonlyMap<number, number> | undefined {
  const fd = openSocket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC, 'generic netlink')
  try {
    const name = attribute(CTRL_ATTR_FAMILY_NAME, Buffer.from('netdev\0'))
    const [family] = ask(fd, request(GENL_ID_CTRL, NLM_F_REQUEST, CTRL_CMD_GETFAMILY, name))
    const id = family?.get(CTRL_ATTR_FAMILY_ID)?.readUInt16LE()
    if (id === undefined) return undefined
    const features = new Map<number, number>()
    const devices = ask(fd, request(id, NLM_F_REQUEST | NLM_F_DUMP, NETDEV_CMD_DEV_GET, Buffer.alloc(0)))
    for (const device of devices) {
      const ifindex = device.get(NETDEV_A_DEV_IFINDEX)?.readUInt32LE()
      const bits = device.get(NETDEV_A_DEV_XDP_FEATURES)?.readBigUInt64LE()
      if (ifindex !== undefined && bits !== undefined) features.set(ifindex, Number(bits))
    }
    return features
  } finally {
    closeSync(fd)
  }
}

function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc((4 + value.length + 3) & ~3)
  bytes.writeUInt16LE(4 + value.length, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.set(value, 4)
  return bytes
}

/** struct nlmsghdr, struct genlmsghdr, attributes. */
function request(family: number, flags: number, command: number, attributes: Uint8Array): Buffer {
  const bytes = Buffer.alloc(MESSAGE_HEADER + GENERIC_HEADER + attributes.length)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes.writeUInt16LE(family, 4)
  bytes.writeUInt16LE(flags, 6)
  bytes.writeUInt8(command, MESSAGE_HEADER)
  bytes.writeUInt8(1, MESSAGE_HEADER + 1)
  bytes.set(attributes, MESSAGE_HEADER + GENERIC_HEADER)
  return bytes
}

/** Attributes of each answer; none when the kernel answers with an error, as for a family that it does not have. */
function ask(fd: number, message: Buffer): Map<number, Buffer>[] {
  // An answer to a dump ends with a message that says so; this family does not mark its parts as such.
  const dump = (message.readUInt16LE(6) & NLM_F_DUMP) !== 0
  writeSync(fd, message)
  const answers: Map<number, Buffer>[] = []
  const buffer = Buffer.alloc(65_536)
  for (;;) {
    // The kernel has answered before the write returned.
    const length = check('recv', receive(fd, buffer, MSG_DONTWAIT), 'generic netlink')
    for (let offset = 0; offset + MESSAGE_HEADER <= length; ) {
      const size = buffer.readUInt32LE(offset)
      const type = buffer.readUInt16LE(offset + 4)
      if (type === NLMSG_ERROR || type === NLMSG_DONE || size < MESSAGE_HEADER) return answers
      answers.push(attributesOf(Buffer.from(buffer.subarray(offset + MESSAGE_HEADER + GENERIC_HEADER, offset + size))))
      if (!dump) return answers
      offset += (size + 3) & ~3
    }
  }
}

function attributesOf(bytes: Buffer): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>()
  for (let offset = 0; offset + 4 <= bytes.length; ) {
    const size = bytes.readUInt16LE(offset)
    if (size < 4) break
    attributes.set(bytes.readUInt16LE(offset + 2) & 0x3fff, bytes.subarray(offset + 4, offset + size))
    offset += (size + 3) & ~3
  }
  return attributes
}
