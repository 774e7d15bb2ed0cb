// SPDX-License-Identifier: Apache-2.0
/** sessionAffinity: one backend a client and Service, for as long as it serves and the client comes back in time. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../../src/abi/address.ts'
import { affinityId } from '../../src/compiler/affinity-id.ts'
import { skip } from './requires-bpf.ts'
import { families, familyEntries, l4Packet, type Places } from './support/families.ts'
import { readPacket } from './support/read-packet.ts'
import { sharedNode } from './support/shared-node.ts'
import type { PacketProgram, TestNode } from './support/test-node.ts'

const nodeOnce = sharedNode()
const SECONDS = 600
const NS = 1_000_000_000n

function backendsOf(places: Places): string[] {
  const base = places.podHere.slice(0, -1)
  const remote = places.podThere.slice(0, -1)
  return [`${base}1`, `${base}2`, `${base}3`, `${remote}4`, `${remote}5`, `${remote}6`]
}

async function web(places: Places, endpoints = backendsOf(places), affinitySeconds = SECONDS): Promise<TestNode> {
  const node = nodeOnce()
  await node.apply({
    ...{ name: 'web', clusterIPs: [places.vip], ingress: [places.balancer], endpoints, affinitySeconds },
    ports: [
      { port: 80, target: 8080, nodePort: 30080 },
      { port: 443, target: 8443, nodePort: 30443 },
      { port: 53, target: 5353, protocol: 'UDP', nodePort: 30053 },
    ],
  })
  return node
}

let sourcePort = 32000

/** The address of the backend that a new connection gets. */
function connect(
  node: TestNode,
  places: Places,
  client: string,
  dst = places.vip,
  port = 80,
  at: PacketProgram = 'tc_net_in',
): string {
  sourcePort = sourcePort < 60_000 ? sourcePort + 1 : 32000
  const l4 = port === 53 || port === 30053 ? 'UDP' : 'TCP'
  const outcome = node.run(at, l4Packet(l4, client, sourcePort, dst, port))
  assert.equal(outcome.reason, 'FORWARD_NEW')
  return readPacket(outcome.packet).dst
}

const keyOf = (client: string) => ({ affinityId: affinityId('default', 'web'), client: parseAddress(client) })

function remember(node: TestNode, client: string, backend: string, ageSeconds: number): void {
  const seenNs = process.hrtime.bigint() - BigInt(ageSeconds) * NS
  node.maps.affinities.set(keyOf(client), { backend: parseAddress(backend), seenNs })
}

for (const [family, places] of familyEntries) {
  const { client, vip, balancer, node: nodeIp } = places

  test(`a client keeps its backend across ports, protocols and frontends, ${family}`, { skip }, async () => {
    const node = await web(places)
    for (const from of [client, places.otherClient, places.otherPodHere]) {
      const chosen = new Set<string>()
      for (const [dst, port] of [
        [vip, 80],
        [vip, 443],
        [vip, 53],
        [balancer, 80],
        [balancer, 443],
        [nodeIp, 30443],
        [nodeIp, 30053],
      ] as const) {
        for (const at of ['tc_net_in', 'tc_pod_in', 'xdp_net'] as const)
          chosen.add(connect(node, places, from, dst, port, at))
      }
      assert.equal(chosen.size, 1, `${from}: ${[...chosen]}`)
    }
  })

  test(`each port leads to the backend's own port, ${family}`, { skip }, async () => {
    const node = await web(places)
    for (const [port, target] of [
      [80, 8080],
      [443, 8443],
    ] as const) {
      assert.equal(readPacket(node.run('tc_net_in', l4Packet('TCP', client, 40000, vip, port)).packet).dport, target)
    }
  })

  test(`clients are spread over the backends, ${family}`, { skip }, async () => {
    const node = await web(places)
    const clients = Array.from({ length: 100 }, (_, index) => places.otherPodThere.slice(0, -1) + (10 + index))
    const chosen = new Set(clients.map((from) => connect(node, places, from)))
    assert.equal(chosen.size, backendsOf(places).length)
  })

  test(`what is remembered goes before what the table says, until the time is over, ${family}`, { skip }, async () => {
    const node = await web(places)
    const usual = connect(node, places, client)
    const other = backendsOf(places).find((address) => address !== usual)!
    remember(node, client, other, SECONDS - 5)
    assert.equal(connect(node, places, client), other)
    assert.equal(connect(node, places, client, vip, 443), other)
    remember(node, client, other, SECONDS + 5)
    assert.equal(connect(node, places, client), usual)
    assert.equal(connect(node, places, client), usual, 'the new choice is remembered')
  })

  test(`traffic keeps the memory alive, ${family}`, { skip }, async () => {
    const node = await web(places)
    const sent = l4Packet('TCP', client, 40000, vip, 80)
    const backend = readPacket(node.run('tc_net_in', sent).packet).dst
    remember(node, client, backend, SECONDS - 5)
    for (const [key, flow] of [...node.maps.flows.entries()]) {
      // the clock is asked a hundred jiffies after the last time
      node.maps.flows.set(key, { ...flow, seenNs: flow.seenNs - 2n * NS, seenTicks: (flow.seenTicks - 500) >>> 0 })
    }
    assert.equal(node.run('tc_net_in', sent.flags('A')).reason, 'FORWARD_FLOW')
    const { seenNs } = node.maps.affinities.get(keyOf(client))!
    assert.ok(process.hrtime.bigint() - seenNs < 60n * NS)
  })

  test(`a backend that stopped serving keeps nobody, ${family}`, { skip }, async () => {
    const node = await web(places)
    const usual = connect(node, places, client)
    const rest = backendsOf(places).filter((address) => address !== usual)
    await web(places, rest)
    const moved = connect(node, places, client)
    assert.ok(rest.includes(moved))
    // It comes back, and the client stays where it is now.
    await web(places)
    assert.equal(connect(node, places, client), moved)
  })

  test(`a Local policy counts before what is remembered, ${family}`, { skip }, async () => {
    const node = nodeOnce()
    const [hereOne = '', hereTwo = '', , there = ''] = backendsOf(places)
    await node.apply({
      ...{ name: 'web', clusterIPs: [vip], ingress: [balancer], endpoints: [hereOne, hereTwo, there] },
      ...{ affinitySeconds: SECONDS, externalTrafficPolicy: 'Local' },
    })
    remember(node, client, there, 1)
    assert.notEqual(connect(node, places, client, balancer), there)
    remember(node, client, there, 1)
    assert.equal(connect(node, places, client, vip), there, 'the ClusterIP’s set has it')
    remember(node, client, hereTwo, 1)
    assert.equal(connect(node, places, client, balancer), hereTwo)
  })
}

test('two Services remember apart', { skip }, async () => {
  const node = nodeOnce()
  const places = families.IPv4
  const endpoints = backendsOf(places)
  await node.apply(
    { name: 'web', clusterIPs: [places.vip], endpoints, affinitySeconds: SECONDS },
    { name: 'other', clusterIPs: [places.otherVip], endpoints, affinitySeconds: SECONDS },
  )
  const other = connect(node, places, places.client, places.otherVip)
  const planted = endpoints.find((address) => address !== other)!
  remember(node, places.client, planted, 1)
  assert.equal(connect(node, places, places.client, places.otherVip), other)
  assert.equal(connect(node, places, places.client, places.vip), planted)
})

test('without affinity a client’s connections are spread', { skip }, async () => {
  const places = families.IPv4
  const node = nodeOnce()
  await node.apply({ name: 'web', clusterIPs: [places.vip], endpoints: backendsOf(places) })
  const chosen = new Set(Array.from({ length: 100 }, () => connect(node, places, places.client)))
  assert.equal(chosen.size, backendsOf(places).length)
  assert.equal([...node.maps.affinities.entries()].length, 0)
})
