// SPDX-License-Identifier: Apache-2.0
/** A flow's life: its backend goes, it ends, it begins again. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FlowFlags } from '../../src/abi/generated.ts'
import { skip } from './requires-bpf.ts'
import { familyEntries, type L4, l4Packet } from './support/families.ts'
import { sharedNode } from './support/shared-node.ts'
import type { PacketProgram, TestNode } from './support/test-node.ts'

const nodeOnce = sharedNode()

for (const [family, places] of familyEntries) {
  const { client, vip, podHere, podThere } = places
  const web = (endpoints: readonly string[]) => ({
    ...{ name: 'web', clusterIPs: [vip], endpoints },
    ports: (['TCP', 'UDP'] as const).map((protocol) => ({ port: 80, protocol })),
  })
  const backend = (address: string) => (family === 'IPv6' ? `[${address}]:8080` : `${address}:8080`)
  const ask = (node: TestNode, at: PacketProgram, l4: L4, flags = 'S', port = 40000) =>
    node.run(at, l4Packet(l4, client, port, vip, 80, flags))

  /** The backend's segment, by the hook that sees it. */
  const reply = (node: TestNode, at: PacketProgram, flags: string) => {
    const [key] = [...node.maps.flows.entries()].find(([, flow]) => flow.flags & FlowFlags.FLOW_F_REPLY)!
    const back = at === 'tc_net_out' ? 'tc_net_in' : at === 'tc_pod_in' ? 'tc_pod_out' : 'tc_net_out'
    const to = at === 'tc_net_out' ? places.node : client
    const outcome = node.run(back, l4Packet('TCP', podHere, 8080, to, key.dport, flags), { ingressIfindex: 1 })
    assert.equal(outcome.reason, 'FORWARD_REPLY')
  }

  for (const at of ['xdp_net', 'tc_net_in', 'tc_pod_in', 'tc_net_out'] as const) {
    test(`${at}: TCP to a removed backend lives on, UDP moves at once, ${family}`, { skip }, async () => {
      const node = nodeOnce()
      await node.apply(web([podHere]))
      assert.equal(ask(node, at, 'TCP').backend, backend(podHere))
      assert.equal(ask(node, at, 'UDP').backend, backend(podHere))
      await node.apply(web([podThere]))
      for (const flags of ['A', 'PA', 'FA']) {
        const drains = ask(node, at, 'TCP', flags)
        assert.deepEqual([drains.reason, drains.backend], ['FORWARD_FLOW', backend(podHere)])
      }
      const moves = ask(node, at, 'UDP')
      assert.deepEqual([moves.reason, moves.backend], ['FORWARD_NEW', backend(podThere)])
      assert.deepEqual(ask(node, at, 'UDP').reason, 'FORWARD_FLOW')
    })

    test(`${at}: a connection that begins on a removed backend's tuple chooses anew, ${family}`, { skip }, async () => {
      const node = nodeOnce()
      await node.apply(web([podHere]))
      ask(node, at, 'TCP')
      assert.equal(ask(node, at, 'TCP').reason, 'FORWARD_FLOW', 'a SYN that is sent again')
      await node.apply(web([podThere]))
      const anew = ask(node, at, 'TCP')
      assert.deepEqual([anew.reason, anew.backend], ['FORWARD_NEW', backend(podThere)])
      assert.deepEqual(ask(node, at, 'TCP', 'A').backend, backend(podThere))
      assert.equal([...node.maps.flows.entries()].length, 2, 'nothing is left of the old flow')
    })

    test(`${at}: a flow without any backend left, ${family}`, { skip }, async () => {
      const node = nodeOnce()
      await node.apply(web([podHere]))
      ask(node, at, 'TCP')
      ask(node, at, 'UDP')
      await node.apply(web([]))
      assert.equal(ask(node, at, 'TCP', 'A').reason, 'FORWARD_FLOW')
      assert.equal(ask(node, at, 'UDP').reason, 'REJECT_NO_ENDPOINT')
      assert.equal(ask(node, at, 'TCP').reason, 'REJECT_NO_ENDPOINT')
      await node.apply()
      assert.equal(ask(node, at, 'UDP').reason, 'PASS_NOT_SERVICE')
    })

    test(`${at}: after RST, and after FIN from both sides, a SYN chooses anew, ${family}`, { skip }, async () => {
      const node = nodeOnce()
      await node.apply(web([podHere]))
      assert.equal(ask(node, at, 'TCP').reason, 'FORWARD_NEW')
      reply(node, at, 'SA')
      assert.equal(ask(node, at, 'TCP', 'FA').reason, 'FORWARD_FLOW')
      assert.equal(ask(node, at, 'TCP').reason, 'FORWARD_FLOW', 'one side alone has closed')
      reply(node, at, 'FA')
      assert.equal(ask(node, at, 'TCP', 'A').reason, 'FORWARD_FLOW', 'the last ACK finds its way')
      assert.equal(ask(node, at, 'TCP').reason, 'FORWARD_NEW')
      reply(node, at, 'RA')
      assert.equal(ask(node, at, 'TCP').reason, 'FORWARD_NEW')
      assert.equal(ask(node, at, 'TCP', 'R').reason, 'FORWARD_FLOW')
      assert.equal(ask(node, at, 'TCP').reason, 'FORWARD_NEW')
    })

    test(`${at}: a connection of which a FIN is the first that is seen ends all the same, ${family}`, {
      skip,
    }, async () => {
      const node = nodeOnce()
      await node.apply(web([podHere]))
      assert.equal(ask(node, at, 'TCP', 'FA').reason, 'FORWARD_NEW')
      reply(node, at, 'FA')
      assert.equal(ask(node, at, 'TCP').reason, 'FORWARD_NEW')
    })

    test(`${at}: a connection from another node's time goes where every node sends it, ${family}`, {
      skip,
    }, async () => {
      const node = nodeOnce()
      await node.apply(web([podHere, podThere]))
      const started = Array.from({ length: 30 }, (_, index) => ask(node, at, 'TCP', 'S', 50_000 + index).backend)
      node.reset()
      const middle = Array.from({ length: 30 }, (_, index) => ask(node, at, 'TCP', 'A', 50_000 + index).backend)
      assert.deepEqual(middle, started)
      assert.equal(new Set(started).size, 2)
    })
  }
}
