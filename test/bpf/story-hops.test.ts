// SPDX-License-Identifier: Apache-2.0
/** Next hops as the kernel's own routing and neighbour tables give them: a node with one device in a namespace. */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { basename } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parseAddress } from '../../src/abi/address.ts'
import { DeviceFlags, HopFlags } from '../../src/abi/generated.ts'
import { inNetworkNamespace, interfaceIndex } from '../../src/ffi/libc.ts'
import { networkNamespace, skip } from './requires-bpf.ts'
import { assertFrame } from './support/assert-frame.ts'
import { familyEntries, l4Packet, type Places } from './support/families.ts'
import { type Mac, type Packet, packet } from './support/packet.ts'
import { Icmp4, Icmp6 } from './support/packet-format.ts'
import { readPacket } from './support/read-packet.ts'
import { sharedNode } from './support/shared-node.ts'
import type { Outcome, PacketProgram, TestNode } from './support/test-node.ts'

/** HANDOVER_MAGIC of bpf/core.h. */
const handoverMagic = 0x6d676c6e
const nodeOnce = sharedNode({ config: { synthetic: 0 } })
/** A kernel before 6.7: the agent says which address each device has. */
const olderKernelOnce = sharedNode({ config: { synthetic: 0, haveFibSrc: 0 } })

const ownMac: Mac = [2, 0, 0, 0, 0xaa, 1]
const gatewayMac: Mac = [2, 0, 0, 0, 0xaa, 2]
const MTU = 1400

interface Fabric {
  readonly ifindex: number
  /** lo of the namespace. */
  readonly lo: number
  readonly run: (
    node: TestNode,
    at: PacketProgram,
    packet: Packet | Uint8Array,
    on?: { ifindex?: number; ingressIfindex?: number },
  ) => Outcome
  readonly ip: (...args: string[]) => void
}

/** A namespace whose device `near` has the node's addresses and leads to pods on another node by a gateway. */
function fabric(t: TestContext): Fabric {
  const path = networkNamespace(t)
  const ip = (...args: string[]) => void execFileSync('ip', ['-n', basename(path), ...args])
  const mac = (bytes: Mac) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
  // bpf_fib_lookup() asks no more than the node would do: forward.
  const sysctl = ['net.ipv4.conf.all.forwarding=1', 'net.ipv6.conf.all.forwarding=1', 'net.ipv6.conf.near.accept_dad=0']
  execFileSync('ip', ['netns', 'exec', basename(path), 'sysctl', '-q', '-w', ...sysctl])
  ip('link', 'set', 'near', 'address', mac(ownMac))
  ip('address', 'add', '192.168.0.1/24', 'dev', 'near')
  ip('address', 'add', 'fd00:192::1/64', 'dev', 'near', 'nodad')
  for (const [gateway, range] of [
    ['192.168.0.254', '10.2.0.0/16'],
    ['fd00:192::fe', 'fd00:10:2::/48'],
  ] as const) {
    ip('neighbour', 'add', gateway, 'lladdr', mac(gatewayMac), 'dev', 'near', 'nud', 'permanent')
    // Locked: what is forwarded does not heed a route's MTU otherwise (ip_forward_use_pmtu).
    ip('route', 'add', range, 'via', gateway, 'mtu', 'lock', String(MTU))
  }
  const [ifindex, lo] = inNetworkNamespace(path, () => [interfaceIndex('near')!, interfaceIndex('lo')!] as const)
  const run: Fabric['run'] = (node, at, sent, on) =>
    inNetworkNamespace(path, () =>
      node.run(at, sent, { ifindex, ingressIfindex: at === 'tc_net_out' ? 0 : ifindex, ...on }),
    )
  return { ifindex, lo, run, ip }
}

/** What the agent does when links, routes or neighbours change: remembered routes and hops are asked for again. */
function raiseEpoch(node: TestNode): void {
  const control = node.maps.control.get(0)
  node.maps.control.set(0, { ...control, hopEpoch: control.hopEpoch + 1 })
}

/** Also tells the node that it is in another test's network. */
async function web(node: TestNode, places: Places): Promise<void> {
  raiseEpoch(node)
  const ports = [{ port: 80, nodePort: 30080 }]
  await node.apply({ name: 'web', clusterIPs: [places.vip], ports, endpoints: [places.podThere] })
}

for (const [family, places] of familyEntries) {
  const { client, vip, podThere, node: nodeIp } = places
  const request = l4Packet('TCP', client, 40000, nodeIp, 30080)

  for (const [kernel, once] of [
    ['6.7', nodeOnce],
    ['older', olderKernelOnce],
  ] as const) {
    for (const at of ['xdp_net', 'tc_net_in'] as const) {
      const away = at === 'xdp_net' ? 'back' : 'redirect'

      test(`${at} sends to the gateway's MAC from the address that the route names, kernel ${kernel}, ${family}`, {
        skip,
      }, async (t) => {
        const { ifindex, run } = fabric(t)
        const node = once()
        await web(node, places)
        node.maps.devices.set(ifindex, {
          ...{ flags: DeviceFlags.DEV_F_XDP, master: 0, mac: ownMac },
          ...{ addr4: parseAddress('192.168.0.1'), addr6: parseAddress('fd00:192::1') },
        })
        const sent = run(node, at, request)
        assert.deepEqual([sent.reason, sent.action], ['FORWARD_NEW', away])
        const port = readPacket(sent.packet).sport!
        const expected = request.from(nodeIp, port).to(podThere, 8080).ttl(63).macs(gatewayMac, ownMac)
        assertFrame(sent.packet, expected)
        const reply = l4Packet('TCP', podThere, 8080, nodeIp, port, 'SA').macs(ownMac, gatewayMac)
        const answered = run(node, at, reply)
        assert.deepEqual([answered.reason, answered.action], ['FORWARD_REPLY', away])
        // The client's MAC is that of the frame that its request came in.
        assertFrame(
          answered.packet,
          reply
            .from(nodeIp, 30080)
            .to(client, 40000)
            .ttl(63)
            .macs(...macsBackOf(request)),
        )
        assertFrame(run(node, at, request.flags('A')).packet, expected.flags('A'))
      })
    }
  }

  for (const at of ['xdp_net', 'tc_net_in'] as const) {
    test(`${at} tells the MTU of the route, to a packet that begins a flow too, ${family}`, { skip }, async (t) => {
      const { run } = fabric(t)
      const node = nodeOnce()
      await web(node, places)
      const big = request.flags('A').payload(MTU)
      const outcome = run(node, at, big)
      assert.equal(outcome.reason, 'REJECT_TOO_BIG')
      const [type, code] = family === 'IPv4' ? [Icmp4.UNREACHABLE, 4] : [Icmp6.TOO_BIG, 0]
      const quoted = family === 'IPv4' ? 40 : 60
      const expected = packet(nodeIp, client).df(false).icmp(type, code, MTU).quote(big.bytes(), quoted).back()
      assertFrame(outcome.packet, expected)
      const fits = request.flags('A').payload(MTU - quoted)
      assert.equal(run(node, at, fits).reason, 'FORWARD_FLOW')
    })

    test(`${at} follows a neighbour that moved once the agent says so, ${family}`, { skip }, async (t) => {
      const { run, ip } = fabric(t)
      const node = nodeOnce()
      await web(node, places)
      run(node, at, request)
      const gateway = family === 'IPv4' ? '192.168.0.254' : 'fd00:192::fe'
      ip('neighbour', 'replace', gateway, 'lladdr', '02:00:00:00:bb:02', 'dev', 'near', 'nud', 'permanent')
      raiseEpoch(node)
      const stale = run(node, at, request.flags('A'))
      // XDP does not ask again itself: tc does, and the kernel's own output sends this one packet.
      if (at === 'xdp_net') {
        assert.equal(stale.reason, 'PASS_LATER_HOOK')
        run(node, 'tc_net_in', request.flags('A'))
      } else {
        assert.deepEqual([stale.reason, stale.action], ['FORWARD_FLOW', 'redirect'])
      }
      const fresh = run(node, at, request.flags('A'))
      assert.equal(fresh.reason, 'FORWARD_FLOW')
      assert.match(readPacket(fresh.packet).macs, / > 02000000bb02$/)
    })

    test(`${at} gives a new flow the hop of a moved neighbour once the agent says so, ${family}`, {
      skip,
    }, async (t) => {
      const { run, ip } = fabric(t)
      const node = nodeOnce()
      await web(node, places)
      const packetOf = (port: number) => l4Packet('TCP', client, port, nodeIp, 30080)
      assert.equal(run(node, at, packetOf(41000)).reason, 'FORWARD_NEW')
      const gateway = family === 'IPv4' ? '192.168.0.254' : 'fd00:192::fe'
      ip('neighbour', 'replace', gateway, 'lladdr', '02:00:00:00:bb:03', 'dev', 'near', 'nud', 'permanent')
      raiseEpoch(node)
      const moved = run(node, at, packetOf(41001))
      assert.equal(moved.reason, 'FORWARD_NEW')
      assert.match(readPacket(moved.packet).macs, / > 02000000bb03$/)
    })

    test(`${at} cannot send where no route leads, ${family}`, { skip }, async (t) => {
      const { run, ip } = fabric(t)
      const node = nodeOnce()
      await web(node, places)
      ip('route', 'del', family === 'IPv4' ? '10.2.0.0/16' : 'fd00:10:2::/48')
      raiseEpoch(node)
      const outcome = run(node, at, request)
      assert.equal(outcome.reason, at === 'xdp_net' ? 'PASS_LATER_HOOK' : 'DROP_NO_ROUTE')
    })

    test(`${at} leaves a neighbour that is not known to the kernel's output, ${family}`, { skip }, async (t) => {
      const { run, ip } = fabric(t)
      const node = nodeOnce()
      await web(node, places)
      ip('neighbour', 'del', family === 'IPv4' ? '192.168.0.254' : 'fd00:192::fe', 'dev', 'near')
      raiseEpoch(node)
      const outcome = run(node, at, request)
      if (at === 'xdp_net') assert.equal(outcome.reason, 'PASS_LATER_HOOK')
      else assert.deepEqual([outcome.reason, outcome.action], ['FORWARD_NEW', 'redirect'])
    })
  }

  test(`a process of the node reaches a VIP and takes its reply where it takes others, ${family}`, {
    skip,
  }, async (t) => {
    const { run, lo, ifindex } = fabric(t)
    const node = nodeOnce()
    await web(node, places)
    // Of lo: the device that holds the node's address, and its MAC.
    node.device(lo, 0, { master: ifindex })
    node.device(ifindex, DeviceFlags.DEV_F_XDP, { mac: ownMac })
    const asked = l4Packet('TCP', nodeIp, 40000, vip, 80)
    const sent = run(node, 'tc_net_out', asked)
    assert.deepEqual([sent.reason, sent.action], ['FORWARD_NEW', 'redirect'])
    const port = readPacket(sent.packet).sport!
    assertFrame(sent.packet, asked.from(nodeIp, port).to(podThere, 8080).macs(gatewayMac, ownMac))
    const reply = l4Packet('TCP', podThere, 8080, nodeIp, port, 'SA').macs(ownMac, gatewayMac)
    for (const at of ['xdp_net', 'tc_net_in'] as const) {
      const answered = run(node, at, reply)
      assert.deepEqual([answered.reason, answered.action], ['FORWARD_REPLY', 'pass'])
      // What tc is told goes before the frame: that XDP has translated it, on this device.
      const told = at === 'xdp_net' ? Buffer.from(answered.packet.slice(0, 8)) : undefined
      assertFrame(answered.packet.slice(told?.length ?? 0), reply.from(vip, 80).to(nodeIp, 40000))
      if (told) assert.deepEqual([told.readUInt32LE(0), told.readUInt32LE(4)], [handoverMagic, ifindex])
    }
    const [, flow] = [...node.maps.flows.entries()].find(([key]) => key.dport === port)!
    assert.ok(flow.hop.flags & HopFlags.HOP_F_INGRESS)
  })
}

function macsBackOf(sent: Packet): [Mac, Mac] {
  const { dst, src } = sent.layers.macs
  return [src, dst]
}
