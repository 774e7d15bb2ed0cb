// SPDX-License-Identifier: Apache-2.0
/** Request, backend, reply: each way through the node, every byte of the packets compared. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FlowFlags } from '../../src/abi/generated.ts'
import { skip } from './requires-bpf.ts'
import { assertFrame } from './support/assert-frame.ts'
import { familyEntries, l4Packet, type Places, transports } from './support/families.ts'
import type { Packet } from './support/packet.ts'
import { readPacket } from './support/read-packet.ts'
import { sharedNode } from './support/shared-node.ts'
import type { PacketProgram, TestNode } from './support/test-node.ts'

const nodeOnce = sharedNode()
const masqueradingOnce = sharedNode({ config: { masqueradeAll: 1 }, programs: ['tc_pod_in', 'tc_net_in'] })
const asksConntrackOnce = sharedNode({ config: { haveConntrack: 1 }, programs: ['xdp_net', 'tc_net_in'] })

const NODE_PORT = 30080
const CLIENT_PORT = 40000

/** The Service `default/web` with one backend. */
async function web(on: TestNode, places: Places, backend: string): Promise<void> {
  const ports = (['TCP', 'UDP'] as const).map((protocol) => ({ port: 80, protocol, nodePort: NODE_PORT }))
  await on.apply({ name: 'web', clusterIPs: [places.vip], ports, endpoints: [backend] })
}

interface Leg {
  readonly at: PacketProgram
  readonly sent: Packet
  /** From what the hook did: the port that SNAT chose is known only then. */
  readonly becomes: Packet
  readonly action: 'pass' | 'back' | 'redirect'
  /** tc_net_out: a forwarded packet, not one of the node's own. */
  readonly forwarded?: boolean
}

function walk(on: TestNode, leg: Leg, reason: string): void {
  const outcome = on.run(leg.at, leg.sent, leg.forwarded ? { ingressIfindex: 1 } : {})
  assert.equal(outcome.reason, reason)
  assertFrame(outcome.packet, leg.becomes)
  assert.equal(outcome.action, leg.action)
}

/** Two requests and two replies, then the counters. */
function tell(on: TestNode, l4: 'TCP' | 'UDP', request: Leg, reply: Leg): void {
  const later = (leg: Leg): Leg =>
    l4 === 'UDP' ? leg : { ...leg, sent: leg.sent.flags('PA'), becomes: leg.becomes.flags('PA') }
  walk(on, request, 'FORWARD_NEW')
  walk(on, reply, 'FORWARD_REPLY')
  walk(on, later(request), 'FORWARD_FLOW')
  walk(on, later(reply), 'FORWARD_REPLY')
  assert.deepEqual(on.packetCounts(), { FORWARD_NEW: 1, FORWARD_FLOW: 1, FORWARD_REPLY: 2 })
  const bytes = BigInt(2 * request.sent.bytes().length)
  const port = `default/web:p80-${l4.toLowerCase()}`
  assert.deepEqual(on.stat(port), { flows: 1n, packets: 2n, bytes, refused: 0n })
  assert.equal([...on.maps.flows.entries()].length, 2)
}

/** The port under which a flow that is already there leaves: the story is told once without looking. */
function masqueradedPort(on: TestNode, at: PacketProgram, request: Packet): number {
  const { packet, event } = on.run(at, request)
  assert.ok(event.flags & FlowFlags.FLOW_F_SNAT, 'the flow is masqueraded')
  on.reset()
  return readPacket(packet).sport!
}

for (const [family, places] of familyEntries) {
  for (const l4 of transports) {
    const { vip, client, podHere, podThere, node: nodeIp } = places
    const name = (title: string) => `${title}, ${l4} over ${family}`

    for (const at of ['xdp_net', 'tc_net_in'] as const) {
      test(name(`${at} gives an external client's packet to a backend here, its address kept`), { skip }, async () => {
        const node = nodeOnce()
        await web(node, places, podHere)
        const request = l4Packet(l4, client, CLIENT_PORT, nodeIp, NODE_PORT)
        const reply = l4Packet(l4, podHere, 8080, client, CLIENT_PORT, 'SA')
        tell(
          node,
          l4,
          { at, sent: request, becomes: request.to(podHere, 8080), action: 'pass' },
          { at: 'tc_net_out', sent: reply, becomes: reply.from(nodeIp, NODE_PORT), action: 'pass', forwarded: true },
        )
      })

      test(name(`${at} sends an external client's packet on to a backend there, masqueraded`), { skip }, async () => {
        const node = nodeOnce()
        await web(node, places, podThere)
        const request = l4Packet(l4, client, CLIENT_PORT, nodeIp, NODE_PORT)
        const port = masqueradedPort(node, at, request)
        assert.ok(port >= 1024 && port <= 29_999)
        const action = at === 'xdp_net' ? 'back' : 'redirect'
        const zero = [0, 0, 0, 0, 0, 0] as const
        const reply = l4Packet(l4, podThere, 8080, nodeIp, port, 'SA').ttl(60)
        tell(
          node,
          l4,
          // A synthetic route has no MACs: hops.test.ts asks the kernel for real ones.
          {
            at,
            sent: request,
            becomes: request.to(podThere, 8080).from(nodeIp, port).ttl(63).macs(zero, zero),
            action,
          },
          { at, sent: reply, becomes: reply.to(client, CLIENT_PORT).from(nodeIp, NODE_PORT).ttl(59).back(), action },
        )
      })
    }

    test(name('tc_pod_in gives a pod the backend here, its address kept'), { skip }, async () => {
      const node = nodeOnce()
      await web(node, places, podHere)
      const request = l4Packet(l4, places.otherPodHere, CLIENT_PORT, vip, 80)
      const reply = l4Packet(l4, podHere, 8080, places.otherPodHere, CLIENT_PORT, 'SA')
      tell(
        node,
        l4,
        { at: 'tc_pod_in', sent: request, becomes: request.to(podHere, 8080), action: 'pass' },
        { at: 'tc_pod_out', sent: reply, becomes: reply.from(vip, 80), action: 'pass' },
      )
    })

    test(name('tc_pod_in gives a pod the backend there, its address kept'), { skip }, async () => {
      const node = nodeOnce()
      await web(node, places, podThere)
      const request = l4Packet(l4, places.podHere, CLIENT_PORT, vip, 80)
      const reply = l4Packet(l4, podThere, 8080, places.podHere, CLIENT_PORT, 'SA')
      tell(
        node,
        l4,
        { at: 'tc_pod_in', sent: request, becomes: request.to(podThere, 8080), action: 'pass' },
        { at: 'tc_pod_out', sent: reply, becomes: reply.from(vip, 80), action: 'pass' },
      )
    })

    for (const [where, backend] of [
      ['here', podHere],
      ['there', podThere],
    ] as const) {
      test(name(`tc_net_out sends what the node asks of a VIP to the backend ${where}`), { skip }, async () => {
        const node = nodeOnce()
        await web(node, places, backend)
        const request = l4Packet(l4, nodeIp, CLIENT_PORT, vip, 80)
        const port = readPacket(node.run('tc_net_out', request).packet).sport!
        node.reset()
        const zero = [0, 0, 0, 0, 0, 0] as const
        const reply = l4Packet(l4, backend, 8080, nodeIp, port, 'SA')
        tell(
          node,
          l4,
          // The node is the sender, no router: the TTL stays.
          {
            at: 'tc_net_out',
            sent: request,
            becomes: request.to(backend, 8080).from(nodeIp, port).macs(zero, zero),
            action: 'redirect',
          },
          { at: 'tc_net_in', sent: reply, becomes: reply.to(nodeIp, CLIENT_PORT).from(vip, 80), action: 'pass' },
        )
      })
    }

    test(name('tc_pod_in masquerades a pod that is its own backend'), { skip }, async () => {
      const node = nodeOnce()
      await web(node, places, podHere)
      const request = l4Packet(l4, podHere, CLIENT_PORT, vip, 80)
      const port = masqueradedPort(node, 'tc_pod_in', request)
      const zero = [0, 0, 0, 0, 0, 0] as const
      const reply = l4Packet(l4, podHere, 8080, nodeIp, port, 'SA')
      tell(
        node,
        l4,
        {
          at: 'tc_pod_in',
          sent: request,
          becomes: request.to(podHere, 8080).from(nodeIp, port).ttl(63).macs(zero, zero),
          action: 'redirect',
        },
        {
          at: 'tc_pod_in',
          sent: reply,
          becomes: reply.to(podHere, CLIENT_PORT).from(vip, 80).ttl(63).back(),
          action: 'redirect',
        },
      )
    })

    for (const [where, backend, from] of [
      ['here', podHere, places.otherPodHere],
      ['there', podThere, podHere],
    ] as const) {
      test(name(`masqueradeAll hides a pod from the backend ${where}`), { skip }, async () => {
        const own = masqueradingOnce()
        await web(own, places, backend)
        const request = l4Packet(l4, from, CLIENT_PORT, vip, 80)
        const port = masqueradedPort(own, 'tc_pod_in', request)
        const zero = [0, 0, 0, 0, 0, 0] as const
        const reply = l4Packet(l4, backend, 8080, nodeIp, port, 'SA')
        tell(
          own,
          l4,
          {
            at: 'tc_pod_in',
            sent: request,
            becomes: request.to(backend, 8080).from(nodeIp, port).ttl(63).macs(zero, zero),
            action: 'redirect',
          },
          {
            at: where === 'here' ? 'tc_pod_in' : 'tc_net_in',
            sent: reply,
            becomes: reply.to(from, CLIENT_PORT).from(vip, 80).ttl(63).back(),
            action: 'redirect',
          },
        )
      })
    }

    for (const [where, endpoints] of [
      ['here and there', [podHere, podThere]],
      ['here alone', [podHere]],
    ] as const) {
      test(name(`masqueradeAll spares what a Local policy keeps, backends ${where}`), { skip }, async () => {
        const own = masqueradingOnce()
        await own.apply({
          ...{ name: 'web', clusterIPs: [vip], endpoints, externalTrafficPolicy: 'Local' },
          ports: [{ port: 80, protocol: l4, nodePort: NODE_PORT }],
        })
        const request = l4Packet(l4, client, CLIENT_PORT, nodeIp, NODE_PORT)
        walk(own, { at: 'tc_net_in', sent: request, becomes: request.to(podHere, 8080), action: 'pass' }, 'FORWARD_NEW')
      })
    }
  }
}

test('xdp_net leaves the first packet for a backend here to tc, which can ask conntrack about the tuple', {
  skip,
}, async () => {
  const own = asksConntrackOnce()
  const [, places] = familyEntries[0]!
  await web(own, places, places.podHere)
  const request = l4Packet('TCP', places.client, CLIENT_PORT, places.node, NODE_PORT)
  walk(own, { at: 'xdp_net', sent: request, becomes: request, action: 'pass' }, 'PASS_LATER_HOOK')
  walk(
    own,
    { at: 'tc_net_in', sent: request, becomes: request.to(places.podHere, 8080), action: 'pass' },
    'FORWARD_NEW',
  )
  const ack = request.flags('A')
  const stranger = ack.from(places.client, CLIENT_PORT + 1)
  walk(own, { at: 'xdp_net', sent: stranger, becomes: stranger, action: 'pass' }, 'PASS_LATER_HOOK')
  walk(own, { at: 'xdp_net', sent: ack, becomes: ack.to(places.podHere, 8080), action: 'pass' }, 'FORWARD_FLOW')
})
