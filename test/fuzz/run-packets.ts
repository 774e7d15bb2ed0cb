// SPDX-License-Identifier: Apache-2.0
/** The programs against the reference, packet by packet, in a cluster that has a Service of each kind. */

import assert from 'node:assert/strict'
import { parseCidr } from '../../src/abi/cidr.ts'
import type { ServiceSketch } from '../bpf/support/objects.ts'
import { readPacket } from '../bpf/support/read-packet.ts'
import { type NodeOptions, nodeIp4, nodeIp6, type Reason, TestNode } from '../bpf/support/test-node.ts'
import { referenceFor, runBoth } from './compare.ts'
import { Random } from './random.ts'
import { type Arrival, Traffic } from './traffic.ts'

/** After so many packets both forget all: fewer flows than make the kernel evict some. */
const PACKETS_A_LIFE = 2000

const range = ['10.0.0.0/8', 'fd00:10::/32'].map(parseCidr).map(({ address, mask }) => ({ addr: address, mask }))

/** Nodes that packets are sent to. */
export const packetSettings: Readonly<Record<string, NodeOptions>> = {
  'a plain node': {},
  'a node that knows its cluster, answers pings, masquerades all': {
    answerPing: true,
    config: { masqueradeAll: 1, inClusterLen: range.length, inCluster: range },
  },
  'a node with few ports': {
    config: { snatPortMin: 2000, snatPortMax: 2007, inClusterLen: range.length, inCluster: range },
  },
  'a node that asks conntrack, traced': { config: { haveConntrack: 1, trace: 1, detectByDevice: 1 } },
}

const here = ['10.1.0.5', 'fd00:10:1::5', '10.1.0.6', 'fd00:10:1::6']
const there = ['10.2.0.7', 'fd00:10:2::7', '10.2.0.8', 'fd00:10:2::8']
const tcpAndUdp = (port: number, nodePort?: number) =>
  (['TCP', 'UDP'] as const).map((protocol) => ({ port, protocol, ...(nodePort === undefined ? {} : { nodePort }) }))
const vips = (last: number) => [`10.96.0.${last}`, `fd00:96::${last}`]

const services: readonly ServiceSketch[] = [
  { name: 'here', clusterIPs: vips(1), endpoints: here, ports: tcpAndUdp(80, 30080) },
  { name: 'there', clusterIPs: vips(2), endpoints: there, ports: tcpAndUdp(80, 30081) },
  {
    name: 'both',
    clusterIPs: vips(3),
    endpoints: [...here, ...there],
    ports: tcpAndUdp(80),
    externalIPs: ['198.51.100.3', '2001:db8:b::3'],
  },
  { name: 'none', clusterIPs: vips(4), ports: tcpAndUdp(80, 30082) },
  {
    name: 'local',
    clusterIPs: vips(5),
    endpoints: [...here, ...there],
    ports: tcpAndUdp(80, 30083),
    externalTrafficPolicy: 'Local',
  },
  {
    name: 'localthere',
    clusterIPs: vips(6),
    endpoints: there,
    ports: tcpAndUdp(80, 30084),
    externalTrafficPolicy: 'Local',
    internalTrafficPolicy: 'Local',
  },
  {
    name: 'affine',
    clusterIPs: vips(7),
    endpoints: [...here, ...there],
    ports: [...tcpAndUdp(80), ...tcpAndUdp(443)],
    affinitySeconds: 600,
  },
  {
    ...{ name: 'guarded', clusterIPs: vips(8), endpoints: [...here, ...there], ports: tcpAndUdp(80) },
    ...{
      ingress: ['198.51.100.8', '2001:db8:b::8'],
      sourceRanges: ['203.0.113.0/29', '2001:db8:c::/125', '10.1.0.0/16'],
    },
  },
  {
    name: 'sctp',
    clusterIPs: vips(9),
    endpoints: [...here, ...there],
    ports: [
      { port: 8080, protocol: 'SCTP' },
      { port: 80, protocol: 'SCTP' },
    ],
  },
]

const places = {
  clients: [
    ...['203.0.113.1', '203.0.113.9', '2001:db8:c::1', '2001:db8:c::9', nodeIp4, nodeIp6, '127.0.0.1'],
    ...here,
    ...there,
  ],
  destinations: [
    ...services.flatMap(({ clusterIPs, externalIPs = [], ingress = [] }) => [
      ...clusterIPs,
      ...externalIPs,
      ...ingress,
    ]),
    ...[nodeIp4, nodeIp6, nodeIp4, nodeIp6, '127.0.0.1', '10.96.0.99', 'fd00:96::99', '10.1.0.5', 'fd00:10:2::7'],
  ],
  ports: [80, 80, 80, 80, 80, 80, 80, 80, 80, 80, 443, 8080, 81, 30080, 30081, 30082, 30083, 30084, 2000],
}

/**
 * Sends packets to a node of these settings.
 *
 * @returns packets by reason
 * @throws Error with seed and packet where program and reference differ
 */
export async function fuzzPackets(
  options: NodeOptions,
  packets: number,
  seed: number,
): Promise<ReadonlyMap<Reason, number>> {
  using node = new TestNode(options)
  await node.apply(...services)
  node.setServiceCidrs('10.96.0.0/16', 'fd00:96::/112')
  const random = new Random(seed)
  const reference = referenceFor(node, options.config ?? {})
  const reasons = new Map<Reason, number>()
  const counted = new Map<Reason, number>()
  let sound = 0
  for (let index = 0; index < packets; ) {
    const traffic = new Traffic(random, places)
    node.reset()
    reference.forget()
    counted.clear()
    for (let end = Math.min(packets, index + PACKETS_A_LIFE); index < end; index++) {
      const arrival = traffic.next()
      try {
        const { outcome } = runBoth(node, reference, arrival)
        counted.set(outcome.reason, (counted.get(outcome.reason) ?? 0) + 1)
        if (outcome.reason.startsWith('FORWARD')) traffic.learn(outcome.packet)
        if (isSound(arrival.frame) && outcome.action !== 'drop') {
          assert.deepEqual(readPacket(outcome.packet).faults.filter(matters), [])
          sound++
        }
      } catch (error) {
        throw new Error(describe(seed, index, arrival, error), { cause: error })
      }
    }
    assert.deepEqual(
      node.packetCounts(),
      Object.fromEntries([...counted].sort(([a], [b]) => (a < b ? -1 : 1))),
      'counters',
    )
    for (const [reason, count] of counted) reasons.set(reason, (reasons.get(reason) ?? 0) + count)
  }
  // A generator that never gets anywhere would agree with anything.
  for (const reason of ['FORWARD_NEW', 'FORWARD_FLOW', 'FORWARD_REPLY', 'FORWARD_ICMP_ERROR', 'REJECT_TTL'] as const)
    assert.ok((reasons.get(reason) ?? 0) > packets / 1000, `${reason}: ${reasons.get(reason)} (MAGLANE_SEED=${seed})`)
  assert.ok(sound > packets / 3, `${sound} sound packets (MAGLANE_SEED=${seed})`)
  return reasons
}

/** A quoted SCTP packet is found by its ports and tag; nobody asks for its checksum (RFC 9260, 10). */
function matters(fault: string): boolean {
  return fault !== 'quoted: SCTP checksum'
}

/** Whether the frame was right when it came: then it is right when it leaves. */
function isSound(frame: Uint8Array): boolean {
  try {
    return readPacket(frame).faults.length === 0
  } catch {
    return false
  }
}

function describe(seed: number, index: number, { program, frame, ownPacket }: Arrival, error: unknown): string {
  const what = `packet ${index} of MAGLANE_SEED=${seed} at ${program}${ownPacket ? ' (own)' : ''}`
  return `${what}: ${(error as Error).message}\n${Buffer.from(frame).toString('hex')}`
}
