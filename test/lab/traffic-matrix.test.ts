// SPDX-License-Identifier: Apache-2.0
/** Every caller reaches every kind of address, backend here or there, on every CNI, with the socket hooks and without. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { nodeAddress, outsideClient, overlayAddress, podGateway } from '../../src/lab/address-plan.ts'
import type { ClientAnswer } from '../../src/lab/client-protocol.ts'
import { cniNames } from '../../src/lab/cni.ts'
import { createLab, type Lab } from '../../src/lab/lab.ts'
import { until } from '../../src/lab/until.ts'
import { type Family, families, frontendKinds, protocols, target } from './frontends.ts'
import { podPorts, service } from './objects.ts'
import { skipWithoutRoot } from './skip.ts'

/** Services whose only pod is on the caller's node, and on the other one. */
const services = [
  { name: 'here', n: 1, node: 'node-a' },
  { name: 'there', n: 2, node: 'node-b' },
] as const

for (const cni of cniNames) {
  for (const socketLb of ['all', 'off'] as const) {
    describe(`with --cni ${cni} and --socket-lb ${socketLb}`, skipWithoutRoot, () => {
      let lab: Lab
      before(async () => {
        lab = await createLab({ cni, socketLb })
        await lab.pods.create(
          services.map(({ name, node }) => ({ name, node, labels: { app: name }, ports: podPorts })),
        )
        await lab.apply(...services.map(({ name, n }) => service(name, n)))
        for (const { n } of services) {
          await until('the Service answers', () => lab.request('client-a', target(n, 'ClusterIP', 'ipv6', 'tcp')))
        }
      })
      after(async () => await lab?.close())

      for (const kind of frontendKinds) {
        for (const { name, n } of services) {
          for (const family of families) {
            for (const proto of protocols) {
              const wanted = target(n, kind, family, proto)
              const what = `the ${kind} over ${family}, ${proto}, backend ${name}`

              test(`a pod reaches ${what}, and keeps its address`, async () => {
                const answer = await lab.request('client-a', wanted)
                assertAnswer(answer, name, wanted)
                assert.equal(answer.client.address, lab.pod('client-a').addresses[family])
              })

              test(`a node reaches ${what}`, async () => {
                const answer = await lab.request('node-a', wanted)
                assertAnswer(answer, name, wanted)
                assert.ok(addressesOfNodeA(family).includes(answer.client.address), answer.client.address)
              })

              test(`a client outside reaches ${what}, and keeps its address where the backend is local`, async () => {
                const answer = await lab.request('outside', wanted)
                assertAnswer(answer, name, wanted)
                if (name === 'here') assert.equal(answer.client.address, outsideClient[family])
                else assert.ok(addressesOfNodeA(family).includes(answer.client.address), answer.client.address)
              })
            }
          }
        }
      }

      for (const family of families) {
        for (const proto of protocols) {
          test(`a pod reaches the NodePort of another node over ${family}, ${proto}`, async () => {
            const wanted = { ...target(1, 'NodePort', family, proto), address: nodeAddress(1)[family] }
            for (const from of ['client-a', 'node-a', 'outside']) {
              assertAnswer(await lab.request(from, wanted), 'here', wanted)
            }
          })
        }

        for (const from of ['client-a', 'node-a', 'outside']) {
          for (const { name, n } of services) {
            for (const kind of ['ClusterIP', 'NodePort'] as const) {
              const what = `between ${from} and a ${kind} over ${family}, backend ${name}`

              test(`large transfers arrive ${what}`, async () => {
                const bytes = 300_000
                const question = { sendBytes: bytes, answerBytes: bytes }
                const answer = await lab.request(from, target(n, kind, family, 'tcp'), question)
                assert.deepEqual([answer.pod, answer.received, answer.answerBytes], [name, bytes, bytes])
              })

              const looped = from === 'node-a' && kind === 'NodePort' && socketLb === 'off'
              // What the node sends to itself leaves by lo, whose MTU no pod has; and an IPv6 route to the node itself does not
              // learn another (net/ipv6/route.c, RTF_LOCAL). The socket hooks, which are off here, have no such trouble.
              if (looped && family === 'ipv6') continue
              test(`fragments arrive ${what}`, async () => {
                const question = { sendBytes: 4000, answerBytes: 4000 }
                const wanted = target(n, kind, family, 'udp')
                // Pods on an overlay have a smaller MTU than their clients, and every pod has one than lo. A client learns that by an
                // ICMP error, which takes its first datagram with it: what is lost is sent again, as UDP's users must.
                const learns = cni.startsWith('vxlan') || looped
                if (learns) await lab.request(from, wanted, { ...question, timeoutMs: 200 }).catch(() => {})
                const answer = await lab.request(from, wanted, question)
                assert.deepEqual([answer.pod, answer.received, answer.answerBytes], [name, 4000, 4000])
              })
            }
          }
        }
      }
    })
  }
}

function assertAnswer(
  answer: ClientAnswer,
  pod: string,
  wanted: { readonly address: string; readonly port: number },
): void {
  assert.equal(answer.pod, pod)
  assert.deepEqual(
    answer.peer,
    { address: wanted.address, port: wanted.port },
    'the client talks to the address it called',
  )
}

/** What MASQUERADE could choose on the way to a pod: of the uplink, the bridge or the overlay device. */
function addressesOfNodeA(family: Family): string[] {
  return [nodeAddress(0), podGateway(0), overlayAddress(0)].map((addresses) => addresses[family])
}
