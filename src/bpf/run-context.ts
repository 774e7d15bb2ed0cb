// SPDX-License-Identifier: Apache-2.0
/** The contexts that BPF_PROG_TEST_RUN takes: struct __sk_buff for tc, struct xdp_md for XDP (linux/bpf.h). */

import koffi from 'koffi'

const SkBuff = koffi.struct('maglane_sk_buff', {
  len: 'uint32_t',
  pkt_type: 'uint32_t',
  mark: 'uint32_t',
  queue_mapping: 'uint32_t',
  protocol: 'uint32_t',
  vlan_present: 'uint32_t',
  vlan_tci: 'uint32_t',
  vlan_proto: 'uint32_t',
  priority: 'uint32_t',
  ingress_ifindex: 'uint32_t',
  ifindex: 'uint32_t',
  tc_index: 'uint32_t',
  cb: koffi.array('uint32_t', 5),
  hash: 'uint32_t',
  tc_classid: 'uint32_t',
  data: 'uint32_t',
  data_end: 'uint32_t',
  napi_id: 'uint32_t',
  family: 'uint32_t',
  remote_ip4: 'uint32_t',
  local_ip4: 'uint32_t',
  remote_ip6: koffi.array('uint32_t', 4),
  local_ip6: koffi.array('uint32_t', 4),
  remote_port: 'uint32_t',
  local_port: 'uint32_t',
  data_meta: 'uint32_t',
  flow_keys: 'uint64_t',
  tstamp: 'uint64_t',
  wire_len: 'uint32_t',
  gso_segs: 'uint32_t',
  sk: 'uint64_t',
  gso_size: 'uint32_t',
  tstamp_type: 'uint8_t',
  hwtstamp: [8, 'uint64_t'],
})

const XdpMd = koffi.struct('maglane_xdp_md', {
  data: 'uint32_t',
  data_end: 'uint32_t',
  data_meta: 'uint32_t',
  ingress_ifindex: 'uint32_t',
  rx_queue_index: 'uint32_t',
  egress_ifindex: 'uint32_t',
})

/** What a tc program may find; the kernel refuses other members that are not zero. */
export interface SkbContext {
  readonly mark?: number
  readonly priority?: number
  /** Where the packet is or goes; a device of the calling thread's network namespace. Default: loopback. */
  readonly ifindex?: number
  /** Where the packet came in. */
  readonly ingressIfindex?: number
  /** Five words; where given, they are the first of them. */
  readonly cb?: readonly number[]
  /** Segments of a packet that is still to be cut, and their size in bytes. */
  readonly gsoSegments?: number
  readonly gsoSize?: number
}

/** struct __sk_buff. */
export function skbContext(context: SkbContext): Uint8Array {
  const words = new DataView(new ArrayBuffer(SkBuff.size))
  const set = (member: string, value: number | undefined) =>
    words.setUint32(koffi.offsetof(SkBuff, member), value ?? 0, true)
  set('mark', context.mark)
  set('priority', context.priority)
  set('ifindex', context.ifindex)
  set('ingress_ifindex', context.ingressIfindex)
  set('gso_segs', context.gsoSegments)
  set('gso_size', context.gsoSize)
  context.cb?.slice(0, 5).forEach((word, index) => {
    words.setUint32(koffi.offsetof(SkBuff, 'cb') + index * 4, word, true)
  })
  return new Uint8Array(words.buffer)
}

/** What a tc program left in struct __sk_buff, of what it may write. */
export function readSkbContext(bytes: Uint8Array): {
  readonly mark: number
  readonly priority: number
  readonly cb: readonly number[]
} {
  const raw = koffi.decode(bytes, SkBuff)
  return { mark: raw.mark, priority: raw.priority, cb: [...raw.cb] }
}

/** What an XDP program may find. */
export interface XdpContext {
  /** Bytes of the packet, metadata not included. */
  readonly packetLength: number
  /** Where the packet came in; a device of the calling thread's network namespace. Default: loopback. */
  readonly ingressIfindex?: number
  readonly rxQueue?: number
}

/** struct xdp_md. The kernel takes a receive queue only together with a device. */
export function xdpContext({ packetLength, ingressIfindex = 0, rxQueue = 0 }: XdpContext): Uint8Array {
  const view = new DataView(new ArrayBuffer(XdpMd.size))
  view.setUint32(koffi.offsetof(XdpMd, 'data_end'), packetLength, true)
  view.setUint32(koffi.offsetof(XdpMd, 'ingress_ifindex'), ingressIfindex, true)
  view.setUint32(koffi.offsetof(XdpMd, 'rx_queue_index'), rxQueue, true)
  return new Uint8Array(view.buffer)
}
