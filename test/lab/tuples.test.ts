// SPDX-License-Identifier: Apache-2.0
/** Flows that meet: one port of one client talks to one backend by several addresses, and backends that go away. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { podCidr } from '../../src/lab/address-plan.ts'
import type { Connection } from '../../src/lab/client-process.ts'
import type { ClientTarget } from '../../src/lab/client-protocol.ts'
import type { Lab, LabOptions, Where } from '../../src/lab/lab.ts'
import { families, protocols, target } from './frontends.ts'
import { labWith, podOf } from './lab-with.ts'
import { service } from './objects.ts'
import { skipWithoutRoot } from './skip.ts'

const configurations: readonly LabOptions[] = [
  { cni: 'routed', socketLb: 'all' },
  { cni: 'routed', socketLb: 'off' },
  // Whether netfilter sees what a bridge carries between its ports decides who must not see a translated flow.
  { cni: 'bridge', socketLb: 'off', bridgeNetfilter: false },
  { cni: 'bridge', socketLb: 'off', bridgeNetfilter: true },
]

const callers: readonly Where[] = ['client-a', 'node-a', 'outside']

/** The pods `here-a` and `there-b`, each with two Services. */
const backends = [
  { app: 'here', pod: 'here-a', services: [1, 2] },
  { app: 'there', pod: 'there-b', services: [3, 4] },
] as const

for (const options of configurations) {
  const { cni, socketLb, bridgeNetfilter } = options
  const bridge = cni === 'bridge' ? `, bridge-nf-call-iptables ${bridgeNetfilter ? 1 : 0}` : ''
  describe(`with --cni ${cni}, --socket-lb ${socketLb}${bridge}`, skipWithoutRoot, () => {
    let lab: Lab
    let sourcePort = 20_000
    before(async () => {
      lab = await labWith(
        options,
        [podOf('here', 'a'), podOf('there', 'b')],
        backends.flatMap(({ app, services }) => services.map((n) => service(`${app}-${n}`, n, { selector: { app } }))),
      )
      // Pods that are known outside by their own addresses, as where the network announces them.
      for (const [index, { name }] of lab.nodes.entries()) {
        for (const cidr of Object.values(podCidr(index))) await lab.route(cidr, name)
      }
    })
    after(async () => await lab?.close())

    /** Opens one connection after the other from one port, asks each, and each once more when all are open. */
    async function assertConnectionsLive(from: Where, targets: readonly ClientTarget[], pod: string): Promise<void> {
      const own = { sourcePort: ++sourcePort }
      const connections: Connection[] = []
      try {
        for (const target of targets) {
          connections.push(await lab.open(from, { ...target, ...own }))
          await assertAnswer(connections.at(-1)!, target, `${from} opens ${target.address}`, pod)
        }
        for (const [index, connection] of connections.entries()) {
          await assertAnswer(connection, targets[index]!, `${from} comes back to ${targets[index]!.address}`, pod)
        }
      } finally {
        await Promise.all(connections.map((connection) => connection.close()))
      }
    }

    /** Asks all by one socket that is connected to none, twice. */
    async function assertSocketHears(from: Where, targets: readonly ClientTarget[], pod: string): Promise<void> {
      await using connection = await lab.open(from, { ...targets[0]!, sourcePort: ++sourcePort, connected: false })
      for (const to of [...targets, ...targets]) await assertAnswer(connection, to, `${from} asks ${to.address}`, pod)
    }

    async function assertAnswer(
      connection: Connection,
      { address, port }: ClientTarget,
      what: string,
      pod: string,
    ): Promise<void> {
      const asked = connection.ask({ to: { address, port }, timeoutMs: 1000 })
      const answer = await asked.catch((error: Error) => assert.fail(`${what}: ${error.message}`))
      assert.deepEqual([answer.pod, answer.peer], [pod, { address, port }], what)
    }

    for (const { pod, services } of backends) {
      for (const family of families) {
        for (const proto of protocols) {
          const [one, two] = services
          const clusterIp = target(one, 'ClusterIP', family, proto)
          const direct = (): ClientTarget => ({ proto, address: lab.pod(pod).addresses[family], port: 8080 })

          const four = [
            clusterIp,
            target(one, 'external IP', family, proto),
            target(two, 'ClusterIP', family, proto),
            target(two, 'LoadBalancer IP', family, proto),
          ]

          test(`a client's port reaches ${pod} by four addresses of two Services, ${proto} over ${family}`, async () => {
            for (const from of callers) {
              if (proto === 'udp') await assertSocketHears(from, four, pod)
              if (isToldApart(from, proto)) await assertConnectionsLive(from, four, pod)
            }
          })

          test(`a client's port reaches ${pod} by a VIP and directly, in both orders, ${proto} over ${family}`, async () => {
            for (const from of callers) {
              if (!isToldApart(from, proto)) continue
              for (const targets of [
                [clusterIp, direct()],
                [direct(), clusterIp],
              ]) {
                if (proto === 'udp') await assertSocketHears(from, targets, pod)
                await assertConnectionsLive(from, targets, pod)
              }
            }
          })
        }
      }
    }

    // Once the hooks have put the backend's address in the place of two VIPs, two UDP sockets that share a port by SO_REUSEADDR
    // are one to the kernel, and a backend's direct answer is one of the VIP's.
    function isToldApart(from: Where, proto: string): boolean {
      return proto === 'tcp' || socketLb === 'off' || from === 'outside'
    }
  })
}
