// SPDX-License-Identifier: Apache-2.0
/** ICMP errors about translated flows, those that the programs send themselves, and pings. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { skip } from './requires-bpf.ts'
import { assertFrame, assertUntouched } from './support/assert-frame.ts'
import { familyEntries, type L4, l4Packet, type Places, transports } from './support/families.ts'
import { type Packet, packet } from './support/packet.ts'
import { ETHERNET_BYTES, Icmp4, Icmp6 } from './support/packet-format.ts'
import { readPacket } from './support/read-packet.ts'
import { sharedNode } from './support/shared-node.ts'
import { type Outcome, type PacketProgram, packetPrograms, type TestNode } from './support/test-node.ts'

const nodeOnce = sharedNode()
const answersPingsOnce = sharedNode({ answerPing: true })

const MTU = 1300

interface Kind {
  readonly name: string
  readonly type: number
  readonly code: number
  readonly rest: number
}

const kinds: Readonly<Record<'IPv4' | 'IPv6', readonly Kind[]>> = {
  IPv4: [
    { name: 'host unreachable', type: Icmp4.UNREACHABLE, code: 1, rest: 0 },
    { name: 'port unreachable', type: Icmp4.UNREACHABLE, code: 3, rest: 0 },
    { name: 'fragmentation needed', type: Icmp4.UNREACHABLE, code: 4, rest: MTU },
    { name: 'time exceeded', type: Icmp4.TIME_EXCEEDED, code: 0, rest: 0 },
    { name: 'parameter problem', type: 12, code: 0, rest: 0x09000000 },
  ],
  IPv6: [
    { name: 'port unreachable', type: Icmp6.UNREACHABLE, code: 4, rest: 0 },
    { name: 'packet too big', type: Icmp6.TOO_BIG, code: 0, rest: MTU },
    { name: 'time exceeded', type: Icmp6.TIME_EXCEEDED, code: 0, rest: 0 },
    { name: 'parameter problem', type: 4, code: 1, rest: 40 },
  ],
}

async function web(node: TestNode, places: Places, backend: string): Promise<void> {
  const ports = (['TCP', 'UDP'] as const).map((protocol) => ({ port: 80, protocol, nodePort: 30080 }))
  await node.apply({
    ...{ name: 'web', clusterIPs: [places.vip], externalIPs: [places.external] },
    ports,
    endpoints: [backend],
  })
}

/** Runs an error that quotes `inside` and expects it to arrive with `insideAfter`. */
function errorArrives(
  node: TestNode,
  at: PacketProgram,
  kind: Kind,
  error: { from: string; to: string; inside: Packet },
  after: { from: string; to: string; inside: Packet; ttl: number; action: Outcome['action'] },
  forwarded = false,
): void {
  const { type, code, rest } = kind
  // As much as RFC 792 promises, what quotes a TCP header in whole, and everything.
  const whole = error.inside.bytes().length - ETHERNET_BYTES
  const addresses = error.from.includes(':') ? 40 : 20
  for (const length of new Set([addresses + 8, whole - 17, whole])) {
    const sent = packet(error.from, error.to).icmp(type, code, rest).quote(error.inside.bytes(), length)
    const outcome = node.run(at, sent, forwarded ? { ingressIfindex: 1 } : {})
    const expected = packet(after.from, after.to)
      .icmp(type, code, rest)
      .quote(after.inside.bytes(), length)
      .ttl(after.ttl)
    const moved =
      after.action === 'pass' ? expected : expected.macs(macsOf(outcome.packet).dst, macsOf(outcome.packet).src)
    assert.equal(outcome.reason, 'FORWARD_ICMP_ERROR', `${kind.name}, ${length} bytes quoted`)
    assertFrame(outcome.packet, moved, `${kind.name}, ${length} bytes quoted`)
    assert.equal(outcome.action, after.action)
  }
}

function macsOf(frame: Uint8Array) {
  const mac = (at: number) =>
    [...frame.subarray(at, at + 6)] as unknown as readonly [number, number, number, number, number, number]
  return { dst: mac(0), src: mac(6) }
}

for (const [family, places] of familyEntries) {
  const { client, vip, router, podHere, podThere, node: nodeIp } = places
  for (const l4 of transports) {
    for (const kind of kinds[family]) {
      const name = (title: string) => `${kind.name}: ${title}, ${l4} over ${family}`

      for (const at of ['xdp_net', 'tc_net_in'] as const) {
        const away = at === 'xdp_net' ? 'back' : 'redirect'

        test(name(`${at} takes an error about a masqueraded request to the client`), { skip }, async () => {
          const node = nodeOnce()
          await web(node, places, podThere)
          const request = l4Packet(l4, client, 40000, nodeIp, 30080)
          const port = readPacket(node.run(at, request).packet).sport!
          const seen = request.from(nodeIp, port).to(podThere, 8080).ttl(60)
          // The router stands behind the node: its address says nothing to the client, the VIP's does.
          errorArrives(
            node,
            at,
            kind,
            { from: router, to: nodeIp, inside: seen },
            { from: nodeIp, to: client, inside: request.ttl(60), ttl: 63, action: away },
          )
        })

        test(name(`${at} takes an error about a masqueraded reply to the backend`), { skip }, async () => {
          const node = nodeOnce()
          await web(node, places, podThere)
          const request = l4Packet(l4, client, 40000, nodeIp, 30080)
          const port = readPacket(node.run(at, request).packet).sport!
          const reply = l4Packet(l4, podThere, 8080, nodeIp, port, 'SA').ttl(50)
          errorArrives(
            node,
            at,
            kind,
            { from: router, to: nodeIp, inside: reply.from(nodeIp, 30080).to(client, 40000) },
            { from: nodeIp, to: podThere, inside: reply, ttl: 63, action: away },
          )
        })

        test(name(`${at} takes an error about a reply to the backend here, from the router itself`), {
          skip,
        }, async () => {
          const node = nodeOnce()
          await web(node, places, podHere)
          node.run(at, l4Packet(l4, client, 40000, vip, 80))
          const reply = l4Packet(l4, podHere, 8080, client, 40000, 'SA').ttl(50)
          errorArrives(
            node,
            at,
            kind,
            { from: router, to: vip, inside: reply.from(vip, 80) },
            { from: router, to: podHere, inside: reply, ttl: 64, action: 'pass' },
          )
        })
      }

      test(name('tc_net_out takes an error of the backend here to the client'), { skip }, async () => {
        const node = nodeOnce()
        await web(node, places, podHere)
        const request = l4Packet(l4, client, 40000, vip, 80)
        node.run('tc_net_in', request)
        errorArrives(
          node,
          'tc_net_out',
          kind,
          { from: podHere, to: client, inside: request.to(podHere, 8080).ttl(62) },
          { from: vip, to: client, inside: request.ttl(62), ttl: 64, action: 'pass' },
          true,
        )
      })
    }
  }

  test(`an error about no flow passes as it came, ${family}`, { skip }, async () => {
    const node = nodeOnce()
    await web(node, places, podHere)
    const kind = kinds[family][0]!
    const inside = l4Packet('TCP', podThere, 40000, client, 443)
    for (const dst of [vip, nodeIp, podHere]) {
      const error = packet(router, dst).icmp(kind.type, kind.code, kind.rest).quote(inside.from(dst, 80).bytes())
      for (const at of packetPrograms) {
        const outcome = node.run(at, error)
        assert.deepEqual([outcome.action, outcome.reason], ['pass', 'PASS_NOT_SERVICE'], `${dst} at ${at}`)
        assertUntouched(outcome.packet, error)
      }
    }
  })

  test(`an error that quotes too little passes as it came, ${family}`, { skip }, async () => {
    const node = nodeOnce()
    await web(node, places, podHere)
    const kind = kinds[family][0]!
    const inside = l4Packet('TCP', vip, 80, client, 40000).bytes()
    for (const length of [0, 8, family === 'IPv4' ? 27 : 47]) {
      const error = packet(router, vip).icmp(kind.type, kind.code, kind.rest).quote(inside, length)
      const outcome = node.run('xdp_net', error)
      assert.deepEqual([outcome.action, outcome.reason], ['pass', 'PASS_UNSUPPORTED'], `${length} bytes`)
      assertUntouched(outcome.packet, error)
    }
  })

  for (const at of ['xdp_net', 'tc_net_in'] as const) {
    const away = at === 'xdp_net' ? 'back' : 'redirect'
    for (const l4 of transports) {
      test(`${at} tells the sender the MTU of the next hop, ${l4} over ${family}`, { skip }, async () => {
        const node = nodeOnce()
        await web(node, places, podThere)
        const first = l4Packet(l4, client, 40000, nodeIp, 30080, 'A')
        node.run(at, first)
        limitMtu(node, MTU)
        const fits = first.payload(MTU - 100)
        assert.equal(node.run(at, fits).reason, 'FORWARD_FLOW')
        const big = first.payload(MTU)
        const outcome = node.run(at, big)
        assert.deepEqual([outcome.reason, outcome.action], ['REJECT_TOO_BIG', away])
        const [type, code] = family === 'IPv4' ? [Icmp4.UNREACHABLE, 4] : [Icmp6.TOO_BIG, 0]
        assertFrame(outcome.packet, answer(places, nodeIp, type, code, MTU, big, l4))
        assert.equal(node.stat(`default/web:p80-${l4.toLowerCase()}`).refused, 1n)
      })

      test(`${at} is a router that says when a packet's time is over, ${l4} over ${family}`, { skip }, async () => {
        const node = nodeOnce()
        await web(node, places, podThere)
        for (const ttl of [1, 0]) {
          const sent = l4Packet(l4, client, 40000, nodeIp, 30080).ttl(ttl)
          const outcome = node.run(at, sent)
          assert.deepEqual([outcome.reason, outcome.action], ['REJECT_TTL', away])
          const type = family === 'IPv4' ? Icmp4.TIME_EXCEEDED : Icmp6.TIME_EXCEEDED
          assertFrame(outcome.packet, answer(places, nodeIp, type, 0, 0, sent, l4))
        }
      })
    }

    test(`${at} sends no error about an error, ${family}`, { skip }, async () => {
      const node = nodeOnce()
      await web(node, places, podThere)
      const request = l4Packet('UDP', client, 40000, nodeIp, 30080)
      const port = readPacket(node.run(at, request).packet).sport!
      const kind = kinds[family][0]!
      const inside = request.from(nodeIp, port).to(podThere, 8080)
      const error = packet(router, nodeIp).ttl(1).icmp(kind.type, kind.code, kind.rest).quote(inside.bytes())
      const outcome = node.run(at, error)
      assert.deepEqual([outcome.action, outcome.reason], ['drop', 'DROP_REPLY_FAILED'])
    })
  }

  const [echo, echoReply] = family === 'IPv4' ? [Icmp4.ECHO, Icmp4.ECHO_REPLY] : [Icmp6.ECHO, Icmp6.ECHO_REPLY]
  test(`a ping to a VIP is answered where that is configured, ${family}`, { skip }, async () => {
    const node = answersPingsOnce()
    await web(node, places, podHere)
    for (const at of ['xdp_net', 'tc_net_in', 'tc_pod_in'] as const) {
      for (const dst of [vip, places.external]) {
        const ping = packet(client, dst).icmp(echo, 0, 0x12340001).payload(57)
        const outcome = node.run(at, ping)
        assert.deepEqual([outcome.reason, outcome.action], ['ANSWER_PING', at === 'xdp_net' ? 'back' : 'redirect'])
        assertFrame(outcome.packet, packet(dst, client).icmp(echoReply, 0, 0x12340001).payload(57).back())
      }
    }
    assert.equal(node.stat('default/web:p80-tcp').refused, 0n)
  })

  test(`a ping to a ClusterIP is dropped, one to another VIP left to the stack, ${family}`, { skip }, async () => {
    const node = nodeOnce()
    await web(node, places, podHere)
    for (const at of ['xdp_net', 'tc_net_in', 'tc_net_out', 'tc_pod_in'] as const) {
      const dropped = node.run(at, packet(client, vip).icmp(echo).payload(8))
      assert.deepEqual([dropped.action, dropped.reason], ['drop', 'DROP_PING'])
      const ping = packet(client, places.external).icmp(echo).payload(8)
      const passed = node.run(at, ping)
      assert.deepEqual([passed.action, passed.reason], ['pass', 'PASS_NOT_SERVICE'])
      assertUntouched(passed.packet, ping)
    }
  })

  test(`an ICMP message that is neither ping nor error is no business of a ClusterIP, ${family}`, {
    skip,
  }, async () => {
    const node = nodeOnce()
    await web(node, places, podHere)
    const timestamp = packet(client, vip)
      .icmp(family === 'IPv4' ? 13 : 139)
      .payload(12)
    assert.deepEqual(node.run('xdp_net', timestamp).reason, 'DROP_UNSUPPORTED')
  })
}

/** What the programs send themselves: from the address that the packet was for, quoting its headers. */
function answer(places: Places, from: string, type: number, code: number, rest: number, about: Packet, l4: L4): Packet {
  const headers = (from.includes(':') ? 40 : 20) + (l4 === 'TCP' ? 20 : 8)
  return packet(from, places.client).df(false).icmp(type, code, rest).quote(about.bytes(), headers).back()
}

/** As if the route to the backend had this MTU. */
function limitMtu(node: TestNode, mtu: number): void {
  for (const [key, flow] of [...node.maps.flows.entries()]) {
    node.maps.flows.set(key, { ...flow, hop: { ...flow.hop, mtu } })
  }
}
