// SPDX-License-Identifier: Apache-2.0
/** Flows that meet on one backend, and paths that are narrower than the wires at their ends. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { outsideNetwork } from '../../src/lab/address-plan.ts'
import { createLab, type Lab } from '../../src/lab/lab.ts'
import { until } from '../../src/lab/until.ts'
import { families, protocols, target } from './frontends.ts'
import { podPorts, service } from './objects.ts'
import { skipWithoutRoot } from './skip.ts'

const services = [
  { name: 'here', n: 1, node: 'node-a' },
  { name: 'there', n: 2, node: 'node-b' },
] as const

for (const cni of ['routed', 'vxlan'] as const) {
  describe(`with --cni ${cni}`, skipWithoutRoot, () => {
    let lab: Lab
    before(async () => {
      lab = await createLab({ cni, socketLb: 'off' })
      await lab.pods.create(services.map(({ name, node }) => ({ name, node, labels: { app: name }, ports: podPorts })))
      await lab.apply(...services.map(({ name, n }) => service(name, n)))
      for (const { n } of services) {
        await until('the Service answers', () => lab.request('client-a', target(n, 'ClusterIP', 'ipv6', 'tcp')))
      }
    })
    after(async () => await lab?.close())

    for (const from of ['client-a', 'outside']) {
      for (const { name, n } of services) {
        for (const family of families) {
          for (const proto of protocols) {
            test(`one port of ${from} talks to one backend ${name} by two addresses, ${proto} over ${family}`, async () => {
              const sourcePort = 20_000 + n
              const first = await lab.open(from, { ...target(n, 'ClusterIP', family, proto), sourcePort })
              assert.equal((await first.ask()).pod, name)
              // UDP sockets do not share a port: the same socket's two flows are the case of an unconnected one.
              if (proto === 'udp') await first.close()
              const second = await lab.open(from, { ...target(n, 'external IP', family, proto), sourcePort })
              assert.equal((await second.ask()).pod, name)
              if (proto === 'tcp') assert.equal((await first.ask()).pod, name)
              await second.close()
              if (proto === 'tcp') await first.close()
            })
          }
        }
      }
    }

    for (const family of families) {
      test(`a connection finds the path's MTU over ${family}`, async () => {
        // The path to the client outside narrows in its middle, where no end sees it but by ICMP errors.
        const network = outsideNetwork[family]
        const narrow = ['ip', 'route', 'replace', network, 'dev', 'outside', 'mtu', 'lock', '1300']
        assert.equal((await lab.exec('fabric', narrow)).code, 0)
        const bytes = 200_000
        for (const { name, n } of services) {
          const answer = await lab.request('outside', target(n, 'NodePort', family, 'tcp'), { answerBytes: bytes })
          assert.deepEqual([answer.pod, answer.answerBytes], [name, bytes])
        }
      })
    }
  })
}
