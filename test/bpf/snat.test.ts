// SPDX-License-Identifier: Apache-2.0
/** The client's port where it is replaced: masquerading, tuples that clash, SCTP. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { skip } from './requires-bpf.ts'
import { assertFrame } from './support/assert-frame.ts'
import { familyEntries, l4Packet, type Places, transports } from './support/families.ts'
import type { PortSketch } from './support/objects.ts'
import { type Mac, packet } from './support/packet.ts'
import { readPacket } from './support/read-packet.ts'
import { sharedNode } from './support/shared-node.ts'
import type { TestNode } from './support/test-node.ts'

const FIRST = 2000
const LAST = 2003
const zeroMac: Mac = [0, 0, 0, 0, 0, 0]

const nodeOnce = sharedNode()
const fewPortsOnce = sharedNode({ config: { snatPortMin: FIRST, snatPortMax: LAST } })
const onePortOnce = sharedNode({ config: { snatPortMin: FIRST, snatPortMax: FIRST } })

async function web(node: TestNode, places: Places, backend: string): Promise<void> {
  const ports: readonly PortSketch[] = [
    { port: 80, nodePort: 30080 },
    { port: 80, protocol: 'UDP', nodePort: 30080 },
    { port: 8080, protocol: 'SCTP' },
    { port: 81, protocol: 'SCTP' },
  ]
  await node.apply(
    { name: 'web', clusterIPs: [places.vip], ports, endpoints: [backend] },
    {
      name: 'same',
      clusterIPs: [places.otherVip],
      ports: ports.slice(0, 2).map(withoutNodePort),
      endpoints: [backend],
    },
  )
}

function withoutNodePort({ nodePort: _, ...port }: PortSketch): PortSketch {
  return port
}

for (const [family, places] of familyEntries) {
  const { client, vip, otherVip, podHere, otherPodHere, podThere, node: nodeIp } = places
  for (const at of ['xdp_net', 'tc_net_in'] as const) {
    for (const l4 of transports) {
      const ask = (node: TestNode, port: number, flags = 'S') =>
        node.run(at, l4Packet(l4, client, port, nodeIp, 30080, flags))

      test(`${at} gives each masqueraded client a port of its own until none is left, ${l4} over ${family}`, {
        skip,
      }, async () => {
        const node = fewPortsOnce()
        await web(node, places, podThere)
        const given = [40000, 40001, 40002, 40003].map((port) => readPacket(ask(node, port).packet).sport!)
        assert.deepEqual([...given].sort(), [2000, 2001, 2002, 2003])
        const fifth = ask(node, 40004)
        assert.deepEqual([fifth.action, fifth.reason], ['drop', 'DROP_NO_SNAT_PORT'])
        assert.equal(node.stat(`default/web:p80-${l4.toLowerCase()}`).refused, 1n)
        // Those that are there are not disturbed, each is answered by its own.
        given.forEach((port, index) => {
          assert.equal(readPacket(ask(node, 40000 + index, 'A').packet).sport, port)
          const reply = l4Packet(l4, podThere, 8080, nodeIp, port, 'A')
          const outcome = node.run(at, reply)
          assertFrame(
            outcome.packet,
            reply
              .to(client, 40000 + index)
              .from(nodeIp, 30080)
              .ttl(63)
              .back(),
          )
        })
      })
    }

    test(`${at} gives the port of a closed connection to the next one, ${family}`, { skip }, async () => {
      const node = onePortOnce()
      await web(node, places, podThere)
      const from = (port: number, flags: string) => node.run(at, l4Packet('TCP', client, port, nodeIp, 30080, flags))
      const back = (flags: string) => node.run(at, l4Packet('TCP', podThere, 8080, nodeIp, FIRST, flags))
      assert.equal(from(40000, 'S').reason, 'FORWARD_NEW')
      assert.equal(from(40001, 'S').reason, 'DROP_NO_SNAT_PORT')
      assert.equal(from(40000, 'R').reason, 'FORWARD_FLOW')
      assert.equal(from(40001, 'S').reason, 'FORWARD_NEW')
      assert.equal(readPacket(back('SA').packet).dport, 40001)
      // FIN from one side only is a connection still; from both it is over.
      assert.equal(from(40001, 'FA').reason, 'FORWARD_FLOW')
      assert.equal(from(40002, 'S').reason, 'DROP_NO_SNAT_PORT')
      assert.equal(back('FA').reason, 'FORWARD_REPLY')
      assert.equal(from(40002, 'S').reason, 'FORWARD_NEW')
      assert.equal(readPacket(back('SA').packet).dport, 40002)
    })

    test(`${at}: what a closed connection still sends does not touch the port's new owner, ${family}`, {
      skip,
    }, async () => {
      const node = onePortOnce()
      await web(node, places, podThere)
      const from = (port: number, flags: string) => node.run(at, l4Packet('TCP', client, port, nodeIp, 30080, flags))
      const replyGoesTo = (flags: string) =>
        readPacket(node.run(at, l4Packet('TCP', podThere, 8080, nodeIp, FIRST, flags)).packet).dport
      from(40000, 'S')
      from(40000, 'R')
      assert.equal(from(40001, 'S').reason, 'FORWARD_NEW')
      assert.equal(replyGoesTo('SA'), 40001)
      // The first client comes back with its old port, and finds none left.
      assert.equal(from(40000, 'S').reason, 'DROP_NO_SNAT_PORT')
      assert.equal(replyGoesTo('A'), 40001)
      assert.equal(from(40001, 'A').reason, 'FORWARD_FLOW')
      assert.equal(from(40002, 'S').reason, 'DROP_NO_SNAT_PORT', 'the owner’s connection counts as open')
    })
  }

  for (const l4 of transports) {
    test(`one client port to one backend through two VIPs: both connections live, ${l4} over ${family}`, {
      skip,
    }, async () => {
      const node = nodeOnce()
      await web(node, places, podHere)
      const one = l4Packet(l4, otherPodHere, 40000, vip, 80)
      const two = l4Packet(l4, otherPodHere, 40000, otherVip, 80)
      assertFrame(node.run('tc_pod_in', one).packet, one.to(podHere, 8080))
      const outcome = node.run('tc_pod_in', two)
      const port = readPacket(outcome.packet).sport!
      assert.notEqual(port, 40000)
      assertFrame(outcome.packet, two.from(otherPodHere, port).to(podHere, 8080))
      for (const [asked, sport, dst] of [
        [one, 40000, vip],
        [two, port, otherVip],
      ] as const) {
        const reply = l4Packet(l4, podHere, 8080, otherPodHere, sport, 'SA')
        assertFrame(node.run('tc_pod_out', reply).packet, reply.from(dst, 80).to(otherPodHere, 40000))
        const later = l4 === 'TCP' ? asked.flags('A') : asked
        assertFrame(node.run('tc_pod_in', later).packet, later.from(otherPodHere, sport).to(podHere, 8080))
      }
    })

    test(`one client port to one backend through a VIP and directly: both live, ${l4} over ${family}`, {
      skip,
    }, async () => {
      const node = nodeOnce()
      await web(node, places, podHere)
      const viaVip = l4Packet(l4, otherPodHere, 40000, vip, 80)
      const direct = l4Packet(l4, otherPodHere, 40000, podHere, 8080)
      assertFrame(node.run('tc_pod_in', viaVip).packet, viaVip.to(podHere, 8080))
      const outcome = node.run('tc_pod_in', direct)
      const port = readPacket(outcome.packet).sport!
      assert.notEqual(port, 40000)
      assertFrame(outcome.packet, direct.from(otherPodHere, port))
      const reply = l4Packet(l4, podHere, 8080, otherPodHere, port, 'SA')
      assertFrame(node.run('tc_pod_out', reply).packet, reply.to(otherPodHere, 40000))
      const vipReply = l4Packet(l4, podHere, 8080, otherPodHere, 40000, 'SA')
      assertFrame(node.run('tc_pod_out', vipReply).packet, vipReply.from(vip, 80))
    })

    test(`a reply that the node's own process is given is not taken for a direct packet, ${l4} over ${family}`, {
      skip,
    }, async () => {
      const node = nodeOnce()
      await web(node, places, podThere)
      // The process has bound a port of the range that masquerading takes its ports from.
      assert.equal(node.run('tc_net_out', l4Packet(l4, nodeIp, 20000, vip, 80)).reason, 'FORWARD_NEW')
      for (const at of ['tc_net_in', 'xdp_net'] as const) {
        const outcome = node.run(at, l4Packet(l4, vip, 80, nodeIp, 20000, 'A'))
        assert.deepEqual([outcome.action, outcome.reason], ['pass', 'PASS_NOT_SERVICE'])
      }
    })

    test(`one client port through two VIPs to a backend there: masqueraded apart, ${l4} over ${family}`, {
      skip,
    }, async () => {
      const node = nodeOnce()
      await web(node, places, podThere)
      const ports = [vip, otherVip].map((dst) => {
        const sent = l4Packet(l4, client, 40000, dst, 80)
        const outcome = node.run('xdp_net', sent)
        const port = readPacket(outcome.packet).sport!
        assertFrame(outcome.packet, sent.from(nodeIp, port).to(podThere, 8080).ttl(63).macs(zeroMac, zeroMac))
        return { port, dst }
      })
      assert.notEqual(ports[0]!.port, ports[1]!.port)
      for (const { port, dst } of ports) {
        const reply = l4Packet(l4, podThere, 8080, nodeIp, port, 'SA')
        assertFrame(node.run('xdp_net', reply).packet, reply.from(dst, 80).to(client, 40000).ttl(63).back())
      }
    })
  }

  test(`SCTP is translated, its checksum mended where a port changes, ${family}`, { skip }, async () => {
    const node = nodeOnce()
    for (const at of ['xdp_net', 'tc_net_in'] as const) {
      for (const [port, length] of [
        [8080, 20],
        [81, 20],
        [81, 1000],
        [81, 1437],
      ] as const) {
        await web(node, places, podHere)
        const request = packet(client, vip).sctp(40000, port).payload(length)
        const outcome = node.run(at, request)
        assert.deepEqual([outcome.action, outcome.reason], ['pass', 'FORWARD_NEW'])
        assertFrame(outcome.packet, request.to(podHere, 8080))
        const reply = packet(podHere, client).sctp(8080, 40000).payload(length)
        assertFrame(node.run('tc_net_out', reply, { ingressIfindex: 1 }).packet, reply.from(vip, port))

        await web(node, places, podThere)
        node.reset()
        const masqueraded = node.run(at, request)
        const given = readPacket(masqueraded.packet).sport!
        const expected = request.from(nodeIp, given).to(podThere, 8080).ttl(63).macs(zeroMac, zeroMac)
        assertFrame(masqueraded.packet, expected)
        const fromThere = packet(podThere, nodeIp).sctp(8080, given).payload(length)
        assertFrame(node.run(at, fromThere).packet, fromThere.from(vip, port).to(client, 40000).ttl(63).back())
        node.reset()
      }
    }
  })

  test(`an SCTP association lives on with a removed backend, a new one moves, ${family}`, { skip }, async () => {
    const node = nodeOnce()
    await web(node, places, podHere)
    const chunk = (type: number) => {
      const payload = new Uint8Array(20)
      payload[0] = type
      return packet(client, vip).sctp(40000, 81).payload(payload)
    }
    const INIT = 1
    const DATA = 0
    const ABORT = 6
    assert.equal(node.run('tc_pod_in', chunk(ABORT)).reason, 'DROP_NO_FLOW')
    assert.equal(node.run('tc_pod_in', chunk(INIT)).reason, 'FORWARD_NEW')
    await web(node, places, otherPodHere)
    assert.equal(readPacket(node.run('tc_pod_in', chunk(DATA)).packet).dst, podHere)
    assert.equal(readPacket(node.run('tc_pod_in', chunk(INIT)).packet).dst, otherPodHere)
    assert.equal(readPacket(node.run('tc_pod_in', chunk(DATA)).packet).dst, otherPodHere)
  })
}
