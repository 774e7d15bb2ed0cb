// SPDX-License-Identifier: Apache-2.0
/** Fragments follow their first one, in both directions. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { skip } from './requires-bpf.ts'
import { assertFrame, assertUntouched } from './support/assert-frame.ts'
import { familyEntries, type L4, l4Packet, type Places, transports } from './support/families.ts'
import { fragments, reassemble } from './support/fragments.ts'
import { type Mac, type Packet, packet } from './support/packet.ts'
import { Icmp4, Icmp6 } from './support/packet-format.ts'
import { readPacket } from './support/read-packet.ts'
import { sharedNode } from './support/shared-node.ts'
import type { PacketProgram, TestNode } from './support/test-node.ts'

const nodeOnce = sharedNode()
const zeroMac: Mac = [0, 0, 0, 0, 0, 0]

async function web(places: Places, backend: string): Promise<TestNode> {
  const node = nodeOnce()
  const ports = (['TCP', 'UDP'] as const).map((protocol) => ({ port: 80, protocol, nodePort: 30080 }))
  await node.apply({
    name: 'web',
    clusterIPs: [places.vip],
    externalIPs: [places.external],
    ports,
    endpoints: [backend],
  })
  return node
}

/** Three fragments of a datagram or segment. */
function cut(whole: Packet, id = 77): Uint8Array[] {
  return fragments(whole.df(false).payload(1500).bytes(), 512, id)
}

function long(l4: L4, src: string, sport: number, dst: string, dport: number): Packet {
  return l4Packet(l4, src, sport, dst, dport, 'A').df(false).payload(1500)
}

function runAll(node: TestNode, at: PacketProgram, parts: readonly Uint8Array[], on = {}): Uint8Array[] {
  return parts.map((part) => {
    const outcome = node.run(at, part, on)
    assert.match(outcome.reason, /^FORWARD_(NEW|FLOW|REPLY)$/)
    assert.deepEqual(readPacket(outcome.packet).faults, [])
    return outcome.packet
  })
}

/** @param whole As the fragments' datagram would look; its IPv4 id is the fragments'. */
function assertWhole(parts: readonly Uint8Array[], whole: Packet): void {
  assertFrame(reassemble(parts), whole)
}

for (const [family, places] of familyEntries) {
  const { client, vip, podHere, podThere, node: nodeIp, external } = places
  const id = 77
  for (const l4 of transports) {
    for (const at of ['xdp_net', 'tc_net_in'] as const) {
      test(`${at} translates every fragment to a backend here, ${l4} over ${family}`, { skip }, async () => {
        const node = await web(places, podHere)
        const request = long(l4, client, 40000, vip, 80).id(id)
        assertWhole(runAll(node, at, cut(request)), request.to(podHere, 8080))
        const reply = long(l4, podHere, 8080, client, 40000).id(id)
        const back = runAll(node, 'tc_net_out', cut(reply), { ingressIfindex: 1 })
        assertWhole(back, reply.from(vip, 80))
        assert.deepEqual(node.packetCounts(), { FORWARD_NEW: 1, FORWARD_FLOW: 2, FORWARD_REPLY: 3 })
      })

      test(`${at} translates every fragment to a backend there, ${l4} over ${family}`, { skip }, async () => {
        const node = await web(places, podThere)
        const request = long(l4, client, 40000, nodeIp, 30080).id(id)
        const parts = runAll(node, at, cut(request))
        const port = readPacket(parts[0]!).sport!
        assertWhole(parts, request.from(nodeIp, port).to(podThere, 8080).ttl(63).macs(zeroMac, zeroMac))
        const reply = long(l4, podThere, 8080, nodeIp, port).id(id)
        assertWhole(runAll(node, at, cut(reply)), reply.from(nodeIp, 30080).to(client, 40000).ttl(63).back())
      })

      test(`${at} drops a fragment to a ClusterIP whose first was not seen, ${l4} over ${family}`, {
        skip,
      }, async () => {
        const node = await web(places, podHere)
        const [first, second, third] = cut(long(l4, client, 40000, vip, 80))
        assert.deepEqual(node.run(at, third!).reason, 'DROP_NO_FIRST_FRAGMENT')
        assert.deepEqual(node.run(at, first!).reason, 'FORWARD_NEW')
        assert.deepEqual(node.run(at, second!).reason, 'FORWARD_FLOW')
        assert.deepEqual(node.run(at, third!).reason, 'FORWARD_FLOW')
      })

      test(`${at} tells fragments of different packets apart, ${l4} over ${family}`, { skip }, async () => {
        const node = await web(places, podHere)
        const one = long(l4, client, 40000, vip, 80)
        const two = long(l4, client, 40001, vip, 80)
        const [one1, ...oneRest] = cut(one, 1)
        const [two1, ...twoRest] = cut(two, 2)
        const mixed = runAll(node, at, [one1!, two1!, twoRest[1]!, oneRest[1]!, oneRest[0]!, twoRest[0]!])
        assertWhole([mixed[0]!, mixed[3]!, mixed[4]!], one.id(1).to(podHere, 8080))
        assertWhole([mixed[1]!, mixed[2]!, mixed[5]!], two.id(2).to(podHere, 8080))
        const other = cut(long(l4, places.otherClient, 40000, vip, 80), 1)
        assert.equal(node.run(at, other[1]!).reason, 'DROP_NO_FIRST_FRAGMENT', 'an id is its sender’s own')
      })
    }

    test(`a later fragment to an address that is not a ClusterIP passes as it came, ${l4} over ${family}`, {
      skip,
    }, async () => {
      const node = await web(places, podHere)
      for (const dst of [nodeIp, external, podHere]) {
        const [, later] = cut(long(l4, client, 40000, dst, 80))
        const outcome = node.run('tc_net_in', later!)
        assert.deepEqual([outcome.action, outcome.reason], ['pass', 'PASS_NOT_SERVICE'])
        assertUntouched(outcome.packet, later!)
      }
    })
  }

  test(`a fragmented ping to a VIP is not answered, ${family}`, { skip }, async () => {
    const node = await web(places, podHere)
    const ping = packet(client, vip)
      .icmp(family === 'IPv4' ? Icmp4.ECHO : Icmp6.ECHO)
      .df(false)
      .payload(1500)
    const [first, second] = cut(ping)
    assert.equal(node.run('tc_net_in', first!).reason, 'DROP_PING')
    assert.equal(node.run('tc_net_in', second!).reason, 'DROP_NO_FIRST_FRAGMENT')
  })
}

test('a first fragment too short for TCP is left to the stack', { skip }, async () => {
  const [, places] = familyEntries[0]!
  const node = await web(places, places.podHere)
  const [tiny] = fragments(l4Packet('TCP', places.client, 40000, places.vip, 80).bytes(), 8, 9)
  const outcome = node.run('xdp_net', tiny!)
  assert.deepEqual([outcome.action, outcome.reason], ['pass', 'PASS_UNSUPPORTED'])
  assertUntouched(outcome.packet, tiny!)
})
