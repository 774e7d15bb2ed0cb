// SPDX-License-Identifier: Apache-2.0
/** What is no Service's traffic passes byte for byte; what is no packet does no harm. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../../src/abi/address.ts'
import { skip } from './requires-bpf.ts'
import { assertFrame, assertUntouched } from './support/assert-frame.ts'
import { families, familyEntries, l4Packet } from './support/families.ts'
import { concat, ethernetBytes, nodeMac, packet, senderMac } from './support/packet.ts'
import { ETHERNET_BYTES, EtherType, Icmp4, Icmp6, Protocol } from './support/packet-format.ts'
import { sharedNode } from './support/shared-node.ts'
import { type PacketProgram, packetPrograms, type TestNode } from './support/test-node.ts'

const nodeOnce = sharedNode()
const { IPv4, IPv6 } = families

async function web(): Promise<TestNode> {
  const node = nodeOnce()
  await node.apply({
    ...{ name: 'web', clusterIPs: [IPv4.vip, IPv6.vip], externalIPs: [IPv4.external, IPv6.external] },
    ...{ endpoints: [IPv4.podHere, IPv6.podHere] },
    ports: [
      { port: 80, nodePort: 30080 },
      { port: 80, protocol: 'UDP', nodePort: 30080 },
    ],
  })
  return node
}

function passes(node: TestNode, at: PacketProgram, frame: Uint8Array, reason: string, message: string): void {
  const outcome = node.run(at, frame)
  assert.equal(outcome.action, 'pass', message)
  assertUntouched(outcome.packet, frame, message)
  assert.equal(outcome.reason, reason, message)
}

function everywhere(frame: Uint8Array, reason: string, message: string): Promise<void> {
  return web().then((node) => {
    for (const at of packetPrograms) passes(node, at, frame, reason, `${message} at ${at}`)
    assert.deepEqual(node.packetCounts(), { [reason]: packetPrograms.length })
  })
}

for (const [family, places] of familyEntries) {
  const { client, podHere, podThere, node, external } = places
  for (const [what, frame] of [
    ["a pod's own traffic", l4Packet('TCP', podThere, 40000, podHere, 443)],
    ['a datagram of nobody', l4Packet('UDP', client, 5000, podThere, 5000)],
    ['a port of the node that is no NodePort', l4Packet('TCP', client, 40000, node, 22)],
    ['a port of an external IP that the Service has not', l4Packet('TCP', client, 40000, external, 81)],
    ['a port that SNAT might have given, but did not', l4Packet('TCP', podThere, 8080, node, 2000)],
    [
      'a ping of the node',
      packet(client, node)
        .icmp(family === 'IPv4' ? Icmp4.ECHO : Icmp6.ECHO, 0, 0x10001)
        .payload(56),
    ],
    ['a protocol without ports', packet(client, node).raw(Protocol.GRE).payload(20)],
    ['an ESP packet of a pod', packet(podThere, podHere).raw(Protocol.ESP).payload(20)],
  ] as const) {
    test(`${what} passes as it came, ${family}`, { skip }, () => everywhere(frame.bytes(), 'PASS_NOT_SERVICE', what))
  }
}

test('neighbour discovery passes as it came', { skip }, () =>
  everywhere(packet('fe80::1', 'ff02::1:ff00:1').ttl(255).icmp(135).payload(24).bytes(), 'PASS_NOT_SERVICE', 'NS'),
)

test('a hop-by-hop header of multicast listeners passes as it came', { skip }, () =>
  everywhere(
    packet('fe80::1', 'ff02::16')
      .ttl(1)
      .extension(Protocol.HOPOPTS, Uint8Array.of(5, 2, 0, 0, 1, 0))
      .icmp(143)
      .payload(20)
      .bytes(),
    'PASS_NOT_SERVICE',
    'MLD',
  ),
)

test('IPv6 without a next header passes as it came', { skip }, () =>
  everywhere(packet(IPv6.client, IPv6.podHere).raw(Protocol.NONE).bytes(), 'PASS_NOT_SERVICE', 'no next header'),
)

test('a short payload of a protocol without ports passes as it came', { skip }, () =>
  everywhere(packet(IPv6.client, IPv6.podHere).raw(103).payload(4).bytes(), 'PASS_NOT_SERVICE', 'PIM'),
)

test('ARP, VLAN tags and unknown EtherTypes pass as they came', { skip }, async () => {
  const node = await web()
  const tail = l4Packet('TCP', IPv4.client, 1, IPv4.vip, 80).bytes().subarray(ETHERNET_BYTES)
  for (const type of [EtherType.ARP, EtherType.VLAN, 0x88cc, 0]) {
    const frame = concat(ethernetBytes({ dst: nodeMac, src: senderMac }, type), tail)
    for (const at of packetPrograms) passes(node, at, frame, 'PASS_NOT_IP', `${type.toString(16)} at ${at}`)
  }
})

test('a packet to a VIP that was forwarded is left alone on its way out', { skip }, async () => {
  const node = await web()
  for (const [, places] of familyEntries) {
    const frame = l4Packet('TCP', places.client, 40000, places.vip, 80)
    const outcome = node.run('tc_net_out', frame, { ingressIfindex: 1 })
    assert.deepEqual([outcome.action, outcome.reason], ['pass', 'PASS_NOT_SERVICE'])
    assertUntouched(outcome.packet, frame)
    assert.equal(node.run('tc_pod_out', frame).reason, 'PASS_NOT_SERVICE')
  }
})

test('IPv4 options and IPv6 extension headers stay where they are', { skip }, async () => {
  const node = await web()
  const options = Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0)
  const four = l4Packet('TCP', IPv4.client, 40000, IPv4.vip, 80).options(options)
  for (const at of ['xdp_net', 'tc_net_in'] as const) {
    node.reset()
    assertFrame(node.run(at, four).packet, four.to(IPv4.podHere, 8080))
    for (const l4 of ['TCP', 'UDP'] as const) {
      const six = l4Packet(l4, IPv6.client, 40000, IPv6.vip, 80)
        .extension(Protocol.HOPOPTS, Uint8Array.of(1, 4, 0, 0, 0, 0))
        .extension(Protocol.DSTOPTS, Uint8Array.of(1, 12, ...new Array(12).fill(0)))
      assertFrame(node.run(at, six).packet, six.to(IPv6.podHere, 8080))
    }
  }
})

test('TCP options and an odd payload survive translation', { skip }, async () => {
  const node = await web()
  const timestamps = Uint8Array.of(1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8)
  for (const [, places] of familyEntries) {
    const sent = packet(places.client, places.vip).tcp(40000, 80, { options: timestamps }).payload(1399)
    for (const at of ['xdp_net', 'tc_net_in'] as const) {
      node.reset()
      assertFrame(node.run(at, sent).packet, sent.to(places.podHere, 8080))
    }
  }
})

test('a UDP checksum of zero stays zero', { skip }, async () => {
  const node = await web()
  const sent = packet(IPv4.client, IPv4.vip).udp(40000, 80, { checksum: false }).payload(11)
  for (const at of ['xdp_net', 'tc_net_in'] as const) {
    node.reset()
    assertFrame(node.run(at, sent).packet, sent.to(IPv4.podHere, 8080))
    const reply = packet(IPv4.podHere, IPv4.client).udp(8080, 40000, { checksum: false }).payload(11)
    assertFrame(node.run('tc_net_out', reply, { ingressIfindex: 1 }).packet, reply.from(IPv4.vip, 80))
  }
})

test('a UDP checksum never becomes zero by translation', { skip }, async () => {
  const node = await web()
  for (const at of ['xdp_net', 'tc_net_in'] as const) {
    for (const [, places] of familyEntries) {
      // Two bytes of payload can make the sum of the translated datagram whatever is wanted.
      const base = packet(places.client, places.vip).udp(40000, 80).payload(new Uint8Array(2))
      const translated = base.to(places.podHere, 8080).bytes()
      const sum = new DataView(translated.buffer).getUint16(translated.length - 4)
      const sent = base.payload(Uint8Array.of(sum >>> 8, sum & 0xff))
      node.reset()
      const outcome = node.run(at, sent)
      assert.equal(new DataView(outcome.packet.buffer).getUint16(outcome.packet.length - 4), 0xffff)
      assertFrame(outcome.packet, sent.to(places.podHere, 8080))
    }
  }
})

test('an IPv6 packet that claims IPv4 addresses meets no IPv4 Service', { skip }, async () => {
  const node = await web()
  const frame = l4Packet('TCP', IPv6.client, 40000, IPv6.vip, 80).bytes()
  frame.set(parseAddress(IPv4.client), ETHERNET_BYTES + 8)
  frame.set(parseAddress(IPv4.vip), ETHERNET_BYTES + 24)
  for (const at of packetPrograms) passes(node, at, frame, 'PASS_UNSUPPORTED', at)
})

test('headers that end early are dropped as malformed, whoever they are for', { skip }, async () => {
  const node = await web()
  const cases: [string, Uint8Array][] = []
  for (const [family, places] of familyEntries) {
    const tcp = l4Packet('TCP', places.client, 1, places.vip, 80).bytes()
    const udp = l4Packet('UDP', places.client, 1, places.vip, 80).bytes()
    const l4 = family === 'IPv4' ? 34 : 54
    for (const length of [ETHERNET_BYTES + 1, l4 - 1, l4, l4 + 8, l4 + 19])
      cases.push([`${family} TCP cut to ${length}`, tcp.slice(0, length)])
    for (const length of [l4, l4 + 7]) cases.push([`${family} UDP cut to ${length}`, udp.slice(0, length)])
  }
  const badVersion = l4Packet('TCP', IPv4.client, 1, IPv4.vip, 80).bytes()
  badVersion[ETHERNET_BYTES] = 0x55
  cases.push(['IP version 5', badVersion])
  const badLength = l4Packet('TCP', IPv4.client, 1, IPv4.vip, 80).bytes()
  badLength[ETHERNET_BYTES] = 0x44
  cases.push(['an IPv4 header of 16 bytes', badLength])
  let runs = 0
  for (const [what, frame] of cases) {
    for (const at of packetPrograms) {
      // BPF_PROG_TEST_RUN makes no socket buffer of less than an IP header.
      if (at !== 'xdp_net' && frame.length < (frame[ETHERNET_BYTES]! >>> 4 === 6 ? 54 : 34)) continue
      const outcome = node.run(at, frame)
      assert.deepEqual([outcome.action, outcome.reason], ['drop', 'DROP_MALFORMED'], `${what} at ${at}`)
      runs++
    }
  }
  assert.deepEqual(node.packetCounts(), { DROP_MALFORMED: runs })
})
