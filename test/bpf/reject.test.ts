// SPDX-License-Identifier: Apache-2.0
/** What a VIP refuses, what it drops, and to whom it answers at all. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../../src/abi/address.ts'
import { parseCidr } from '../../src/abi/cidr.ts'
import { DeviceFlags } from '../../src/abi/generated.ts'
import { skip } from './requires-bpf.ts'
import { assertFrame, assertUntouched } from './support/assert-frame.ts'
import { familyEntries, l4Packet, type Places } from './support/families.ts'
import { here, there } from './support/objects.ts'
import { type Packet, packet } from './support/packet.ts'
import { Icmp4, Icmp6 } from './support/packet-format.ts'
import { sharedNode } from './support/shared-node.ts'
import { type Outcome, type PacketProgram, packetPrograms, type TestNode } from './support/test-node.ts'

const inCluster = ['10.0.0.0/8', 'fd00:10::/32'].map(parseCidr).map(({ address, mask }) => ({ addr: address, mask }))
const nodeOnce = sharedNode()
const detectsByAddressOnce = sharedNode({ config: { inClusterLen: inCluster.length, inCluster } })
const detectsByDeviceOnce = sharedNode({ config: { detectByDevice: 1 } })

const clientHooks = ['xdp_net', 'tc_net_in', 'tc_pod_in', 'tc_net_out'] as const

/** Out of the device that the packet came from; on loopback the node's own packet comes in by itself. */
const answered: Readonly<Record<(typeof clientHooks)[number], Outcome['action']>> = {
  xdp_net: 'back',
  tc_net_in: 'redirect',
  tc_pod_in: 'redirect',
  tc_net_out: 'pass',
}

interface Reset {
  readonly flags: string
  readonly seq: number
  readonly ack: number
}

function rst(from: string, fromPort: number, to: string, toPort: number, more: Reset): Packet {
  return packet(from, to)
    .df(false)
    .tcp(fromPort, toPort, { ...more, window: 0 })
    .back()
}

function unreachable(about: Packet, from: string, to: string): Packet {
  const v6 = from.includes(':')
  const [type, code] = v6 ? [Icmp6.UNREACHABLE, 4] : [Icmp4.UNREACHABLE, 3]
  return packet(from, to)
    .df(false)
    .icmp(type, code)
    .quote(about.bytes(), (v6 ? 40 : 20) + 8)
    .back()
}

/** A Service on all kinds of frontends, TCP and UDP. */
function web(places: Places, more: object = {}) {
  return {
    ...{ name: 'web', clusterIPs: [places.vip], ingress: [places.balancer], externalIPs: [places.external] },
    ports: (['TCP', 'UDP'] as const).map((protocol) => ({ port: 80, protocol, nodePort: 30080 })),
    ...more,
  }
}

for (const [family, places] of familyEntries) {
  const { client, vip, podHere, podThere, balancer, external, node: nodeIp } = places
  const frontends = [
    [vip, 80],
    [balancer, 80],
    [external, 80],
    [nodeIp, 30080],
  ] as const

  for (const at of clientHooks) {
    test(`${at}: a VIP without endpoints refuses a connection with RST, ${family}`, { skip }, async () => {
      const node = nodeOnce()
      await node.apply(web(places))
      for (const [address, port] of frontends) {
        const syn = packet(client, address).tcp(40000, port, { flags: 'S', seq: 0xfffffff0 })
        const cases: [Packet, Reset][] = [
          // RFC 9293, 3.10.7.1: what the segment takes of the sequence space is acknowledged…
          [syn, { flags: 'RA', seq: 0, ack: 0xfffffff1 }],
          [syn.payload(99), { flags: 'RA', seq: 0, ack: 0xfffffff1 + 99 - 2 ** 32 }],
          [syn.flags('FP').payload(3), { flags: 'RA', seq: 0, ack: 0xfffffff4 }],
          // … and a segment with ACK is answered in its own words.
          [syn.flags('A', { ack: 0x89abcdef }), { flags: 'R', seq: 0x89abcdef, ack: 0 }],
          [syn.flags('PA', { ack: 7 }).payload(500), { flags: 'R', seq: 7, ack: 0 }],
          [syn.flags('FA', { ack: 7 }), { flags: 'R', seq: 7, ack: 0 }],
        ]
        for (const [sent, reset] of cases) {
          const outcome = node.run(at, sent)
          assert.deepEqual([outcome.reason, outcome.action], ['REJECT_NO_ENDPOINT', answered[at]])
          assertFrame(outcome.packet, rst(address, port, client, 40000, reset))
        }
      }
      const stat = node.stat('default/web:p80-tcp')
      assert.deepEqual([stat.refused, stat.flows, stat.packets], [24n, 0n, 0n])
      assert.equal([...node.maps.flows.entries()].length, 0)
    })

    test(`${at}: a VIP without endpoints refuses a datagram with port unreachable, ${family}`, { skip }, async () => {
      const node = nodeOnce()
      await node.apply(web(places))
      for (const [address, port] of frontends) {
        for (const length of [0, 1, 17, 1400]) {
          const sent = packet(client, address).udp(40000, port).payload(length)
          const outcome = node.run(at, sent)
          assert.deepEqual([outcome.reason, outcome.action], ['REJECT_NO_ENDPOINT', answered[at]])
          assertFrame(outcome.packet, unreachable(sent, address, client))
        }
      }
      assert.equal(node.stat('default/web:p80-udp').refused, 16n)
    })

    test(`${at}: a RST is never answered, ${family}`, { skip }, async () => {
      const node = nodeOnce()
      for (const endpoints of [[], [podHere]]) {
        await node.apply(web(places, { endpoints }))
        for (const port of [80, 81]) {
          for (const flags of ['R', 'RA']) {
            const outcome = node.run(at, l4Packet('TCP', client, 40000, vip, port, flags))
            assert.deepEqual([outcome.action, outcome.reason], ['drop', 'DROP_NO_FLOW'])
          }
        }
      }
      assert.equal([...node.maps.flows.entries()].length, 0)
    })

    test(`${at}: an unknown port of a ClusterIP is refused, ${family}`, { skip }, async () => {
      const node = nodeOnce()
      await node.apply(web(places, { endpoints: [podHere] }))
      const syn = packet(client, vip).tcp(40000, 81)
      const tcp = node.run(at, syn)
      assert.deepEqual([tcp.reason, tcp.action], ['REJECT_UNKNOWN_PORT', answered[at]])
      assertFrame(tcp.packet, rst(vip, 81, client, 40000, { flags: 'RA', seq: 0, ack: 1001 }))
      const datagram = packet(client, vip).udp(40000, 81).payload(5)
      const udp = node.run(at, datagram)
      assert.deepEqual([udp.reason, udp.action], ['REJECT_UNKNOWN_PORT', answered[at]])
      assertFrame(udp.packet, unreachable(datagram, vip, client))
      const sctp = packet(client, vip).sctp(40000, 80).payload(4)
      assertFrame(node.run(at, sctp).packet, unreachable(sctp, vip, client))
      assert.deepEqual(node.packetCounts(), { REJECT_UNKNOWN_PORT: 3 })
    })
  }

  test(`a Local policy drops what another node would serve, and only from outside, ${family}`, { skip }, async () => {
    const node = nodeOnce()
    await node.apply(web(places, { endpoints: [podThere], externalTrafficPolicy: 'Local' }))
    for (const [address, port] of frontends.slice(1)) {
      for (const at of ['xdp_net', 'tc_net_in'] as const) {
        for (const l4 of ['TCP', 'UDP'] as const) {
          const outcome = node.run(at, l4Packet(l4, client, 40000, address, port))
          assert.deepEqual([outcome.action, outcome.reason], ['drop', 'DROP_NO_LOCAL_ENDPOINT'])
        }
      }
      assert.equal(node.run('tc_net_out', l4Packet('TCP', nodeIp, 40000, address, port)).backend, endpoint(podThere))
    }
    assert.equal(node.stat('default/web:p80-tcp').refused, 6n)
    // The ClusterIP knows no external policy.
    assert.equal(node.run('xdp_net', l4Packet('TCP', client, 40000, vip, 80)).backend, endpoint(podThere))
  })

  test(`an internal Local policy without endpoints here drops what pods and the node ask, ${family}`, {
    skip,
  }, async () => {
    const node = nodeOnce()
    await node.apply(web(places, { endpoints: [podThere], internalTrafficPolicy: 'Local' }))
    for (const at of clientHooks) {
      assert.equal(node.run(at, l4Packet('TCP', places.otherPodHere, 40000, vip, 80)).reason, 'DROP_NO_LOCAL_ENDPOINT')
      assert.equal(node.run(at, l4Packet('TCP', client, 40000, external, 80)).backend, endpoint(podThere))
    }
  })

  test(`scopes under a Local policy follow the client's address, ${family}`, { skip }, async () => {
    const node = detectsByAddressOnce()
    await node.apply(web(places, { endpoints: [podHere, podThere], externalTrafficPolicy: 'Local' }))
    for (const at of ['xdp_net', 'tc_net_in', 'tc_pod_in'] as const) {
      assert.deepEqual(backendsOf(node, at, client, balancer), new Set([endpoint(podHere)]))
      const pods = backendsOf(node, at, places.otherPodThere, balancer)
      assert.deepEqual(pods, new Set([endpoint(podHere), endpoint(podThere)]))
    }
    assert.deepEqual(backendsOf(node, 'tc_net_out', nodeIp, balancer), new Set([endpoint(podHere), endpoint(podThere)]))
  })

  test(`scopes under a Local policy follow the client's device, ${family}`, { skip }, async () => {
    const node = detectsByDeviceOnce()
    await node.apply(web(places, { endpoints: [podHere, podThere], externalTrafficPolicy: 'Local' }))
    node.device(1, 0)
    assert.deepEqual(backendsOf(node, 'tc_pod_in', places.otherPodThere, balancer), new Set([endpoint(podHere)]))
    node.reset()
    node.device(1, DeviceFlags.DEV_F_IN_CLUSTER)
    const all = new Set([endpoint(podHere), endpoint(podThere)])
    assert.deepEqual(backendsOf(node, 'tc_pod_in', places.otherPodThere, balancer), all)
    node.maps.devices.clear()
  })

  test(`source ranges guard the load balancer's address for every client, and nothing else, ${family}`, {
    skip,
  }, async () => {
    const node = nodeOnce()
    const range = family === 'IPv4' ? '203.0.113.8/31' : '2001:db8:c::8/125'
    await node.apply(web(places, { endpoints: [podHere], sourceRanges: [` ${range} `] }))
    const inside = client
    for (const at of clientHooks) {
      for (const l4 of ['TCP', 'UDP'] as const) {
        assert.equal(node.run(at, l4Packet(l4, inside, 40000, balancer, 80)).reason, 'FORWARD_NEW')
        for (const outside of [places.otherClient, podHere, podThere, nodeIp]) {
          const outcome = node.run(at, l4Packet(l4, outside, 40001, balancer, 80))
          assert.deepEqual([outcome.action, outcome.reason], ['drop', 'DROP_SOURCE_RANGE'], `${outside} at ${at}`)
        }
        for (const [address, port] of [frontends[0], frontends[2], frontends[3]]) {
          assert.equal(node.run(at, l4Packet(l4, places.otherClient, 40000, address, port)).reason, 'FORWARD_NEW')
        }
      }
      node.reset()
    }
  })

  test(`an address of a ServiceCIDR that no Service holds is dropped, ${family}`, { skip }, async () => {
    const node = nodeOnce()
    await node.apply(web(places, { endpoints: [podHere] }))
    node.setServiceCidrs('10.96.0.0/16', 'fd00:96::/112')
    const unheld = family === 'IPv4' ? '10.96.255.255' : 'fd00:96::ffff'
    const beside = family === 'IPv4' ? '10.97.0.0' : 'fd00:96::1:0'
    for (const at of clientHooks) {
      for (const l4 of ['TCP', 'UDP'] as const) {
        const outcome = node.run(at, l4Packet(l4, client, 40000, unheld, 80))
        assert.deepEqual([outcome.action, outcome.reason], ['drop', 'DROP_SERVICE_CIDR'])
        const frame = l4Packet(l4, client, 40000, beside, 80)
        const passed = node.run(at, frame)
        assert.deepEqual([passed.action, passed.reason], ['pass', 'PASS_NOT_SERVICE'])
        assertUntouched(passed.packet, frame)
        assert.equal(node.run(at, l4Packet(l4, client, 40000, vip, 80)).reason, 'FORWARD_NEW')
      }
      assert.equal(node.run(at, packet(client, unheld).icmp(family === 'IPv4' ? 8 : 128)).reason, 'DROP_SERVICE_CIDR')
      node.reset()
    }
    assert.equal(node.run('tc_pod_out', l4Packet('TCP', client, 1, unheld, 80)).reason, 'PASS_NOT_SERVICE')
    node.setServiceCidrs()
  })

  test(`an empty VIP's refusal does not outlive its emptiness, ${family}`, { skip }, async () => {
    const node = nodeOnce()
    const syn = l4Packet('TCP', client, 40000, vip, 80)
    await node.apply(web(places))
    assert.equal(node.run('xdp_net', syn).reason, 'REJECT_NO_ENDPOINT')
    await node.apply(web(places, { endpoints: [podHere] }))
    assert.equal(node.run('xdp_net', syn).reason, 'FORWARD_NEW')
    await node.apply(web(places, { endpoints: [{ address: podHere, node: here, ready: false }] }))
    assert.equal(node.run('xdp_net', l4Packet('TCP', client, 40001, vip, 80)).reason, 'REJECT_NO_ENDPOINT')
    await node.apply()
    assert.equal(node.run('xdp_net', l4Packet('TCP', client, 40002, vip, 80)).reason, 'PASS_NOT_SERVICE')
  })

  test(`terminating endpoints serve when there are no others, ${family}`, { skip }, async () => {
    const node = nodeOnce()
    const going = { address: podThere, node: there, ready: false, serving: true, terminating: true }
    await node.apply(web(places, { endpoints: [going] }))
    assert.deepEqual(backendsOf(node, 'tc_pod_in', podHere, vip), new Set([endpoint(podThere)]))
    node.reset()
    await node.apply(web(places, { endpoints: [going, podHere] }))
    assert.deepEqual(backendsOf(node, 'tc_pod_in', places.otherPodHere, vip), new Set([endpoint(podHere)]))
  })
}

test('a datagram with IP options is dropped where it would be refused: its ports would not fit the quote', {
  skip,
}, async () => {
  const node = nodeOnce()
  const [, places] = familyEntries[0]!
  await node.apply(web(places))
  const sent = packet(places.client, places.vip)
    .udp(1, 80)
    .options(Uint8Array.of(1, 1, 1, 0))
  assert.deepEqual(node.run('xdp_net', sent).reason, 'DROP_REPLY_FAILED')
  const syn = packet(places.client, places.vip)
    .tcp(40000, 80)
    .options(Uint8Array.of(1, 1, 1, 0))
  const reset = rst(places.vip, 80, places.client, 40000, { flags: 'RA', seq: 0, ack: 1001 })
  assertFrame(node.run('xdp_net', syn).packet, reset)
})

test('a NodePort on 127.0.0.1 is for processes of the node alone', { skip }, async () => {
  const node = nodeOnce()
  const [, places] = familyEntries[0]!
  await node.apply(web(places, { endpoints: [places.podThere] }))
  for (const at of packetPrograms) {
    const sent = l4Packet('TCP', '127.0.0.1', 40000, '127.0.0.1', 30080)
    const outcome = node.run(at, sent)
    if (at === 'tc_net_out') {
      assert.deepEqual([outcome.reason, outcome.backend], ['FORWARD_NEW', endpoint(places.podThere)])
    } else {
      assert.deepEqual([outcome.action, outcome.reason], ['pass', 'PASS_NOT_SERVICE'], at)
      assertUntouched(outcome.packet, sent)
    }
  }
})

function endpoint(address: string): string {
  return address.includes(':') ? `[${address}]:8080` : `${parseAddress(address).subarray(12).join('.')}:8080`
}

/** The backends that a client's connections from many ports get. */
function backendsOf(node: TestNode, at: PacketProgram, from: string, to: string): Set<string | undefined> {
  const ports = Array.from({ length: 40 }, (_, index) => 50_000 + index)
  return new Set(ports.map((port) => node.run(at, l4Packet('TCP', from, port, to, 80)).backend))
}
