// SPDX-License-Identifier: Apache-2.0
/** sessionAffinity: ClientIP with real sockets: who stays with which backend, how long, and when not. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { nodeAddress } from '../../src/lab/address-plan.ts'
import type { ClientTarget } from '../../src/lab/client-protocol.ts'
import type { Lab, Where } from '../../src/lab/lab.ts'
import { until } from '../../src/lab/until.ts'
import { type Family, families, frontendKinds, protocols, target } from './frontends.ts'
import { labWith, podOf } from './lab-with.ts'
import { service } from './objects.ts'
import { skipWithoutRoot } from './skip.ts'

const first = ['a1', 'a2', 'b1', 'b2'].map((place) => podOf('keep', place))
// Backends are clients too, also their own.
const callers: readonly Where[] = [
  'client-a',
  'client-b',
  'node-a',
  'node-b',
  'outside',
  ...first.map(({ name }) => name),
]

const briefSeconds = 2
const affinity = (seconds: number) => ({
  sessionAffinity: 'ClientIP',
  sessionAffinityConfig: { clientIP: { timeoutSeconds: seconds } },
})

/** Clients outside that nobody knows yet, by their addresses. */
const strangers = Array.from({ length: 150 }, (_, index) => `198.51.100.${50 + index}`)

for (const socketLb of ['all', 'off'] as const) {
  describe(`with --socket-lb ${socketLb}`, skipWithoutRoot, () => {
    let lab: Lab
    const unknown = [...strangers]
    before(async () => {
      lab = await labWith(
        { socketLb },
        [...first, podOf('brief', 'a1')],
        [service('keep', 1, affinity(600)), service('brief', 2, affinity(briefSeconds))],
      )
      const addresses = strangers.map((address) => `address add ${address}/24 dev eth0`).join('\n')
      assert.equal((await lab.exec('outside', ['ip', '-batch', '-'], { input: addresses })).code, 0)
    })
    after(async () => await lab?.close())

    /** Every address of the nth Service that is one and the same client's business. */
    function frontends(n: number, from: Where, family: Family): ClientTarget[] {
      return protocols.flatMap((proto) =>
        frontendKinds.map((kind) => {
          const wanted = target(n, kind, family, proto)
          // The CNI hides a pod that calls another node: it would be another client there.
          return kind === 'NodePort' ? { ...wanted, address: nodeOf(from)[family] } : wanted
        }),
      )
    }

    function nodeOf(from: Where): { ipv4: string; ipv6: string } {
      return nodeAddress((from === 'outside' ? 'node-a' : (lab.pods.all.get(from)?.node ?? from)) === 'node-a' ? 0 : 1)
    }

    async function answerer(from: Where, wanted: ClientTarget): Promise<string> {
      return (await lab.request(from, wanted)).pod
    }

    /** The one backend that a client has, whatever it calls. */
    async function backendOf(n: number, from: Where, family: Family): Promise<string> {
      const pods = new Set(await Promise.all(frontends(n, from, family).map((wanted) => answerer(from, wanted))))
      assert.equal(pods.size, 1, `${from} has ${[...pods].join(' and ')} over ${family}`)
      return [...pods][0]!
    }

    async function backends(n: number): Promise<Record<string, string>> {
      const pairs = callers.flatMap((from) => families.map((family) => ({ from, family })))
      const found = await Promise.all(
        pairs.map(async ({ from, family }) => [`${from}, ${family}`, await backendOf(n, from, family)] as const),
      )
      return Object.fromEntries(found)
    }

    /** Waits until both nodes give some newcomer one of these pods. */
    async function serve(n: number, pods: readonly string[]): Promise<void> {
      for (const index of [0, 1]) {
        const wanted = { ...target(n, 'NodePort', 'ipv4', 'udp'), address: nodeAddress(index).ipv4 }
        await until(`node ${index} uses ${pods.join(' or ')}`, async () => {
          const sourceAddress = unknown.pop()
          return pods.includes(await answerer('outside', { ...wanted, sourceAddress: sourceAddress! }))
        })
      }
    }

    test('a client has one backend at every address and protocol, and another client another', async () => {
      const found = await backends(1)
      assert.ok(new Set(Object.values(found)).size > 1, JSON.stringify(found))
    })

    test('a client that binds its port has the backend that it has otherwise', async () => {
      // Not the node's own processes: the hooks know those all as one, and leave to tc, by its address, who binds a port.
      for (const from of ['client-a', 'client-b', 'outside', ...(socketLb === 'off' ? ['node-a'] : [])]) {
        for (const family of families) {
          const pod = await backendOf(1, from, family)
          for (const kind of frontendKinds) {
            const wanted = { ...target(1, kind, family, 'tcp'), sourcePort: 20_000 + frontendKinds.indexOf(kind) }
            if (kind === 'NodePort') Object.assign(wanted, { address: nodeOf(from)[family] })
            assert.equal(await answerer(from, wanted), pod, `${from} → ${kind} over ${family}`)
          }
        }
      }
    })

    test('clients keep their backends through the agent’s sudden death and restart, and when others come', async () => {
      const kept = await backends(1)
      const node = lab.node('node-a')
      await lab.agents.kill(node.name, 'SIGKILL')
      try {
        assert.deepEqual(await backends(1), kept, 'while no agent runs')
      } finally {
        await lab.agents.start(node)
      }
      assert.deepEqual(await backends(1), kept, 'after the restart')
      // Without memory a third of the clients would move: the new pods have their share of the table.
      const more = ['a3', 'b3'].map((place) => podOf('keep', place))
      await lab.pods.create(more)
      await serve(
        1,
        more.map(({ name }) => name),
      )
      assert.deepEqual(await backends(1), kept, 'when there are more backends')
    })

    test('clients leave a backend that stopped serving, others stay where they are', async () => {
      const before = await backends(1)
      const ended = before['client-a, ipv4']!
      await lab.pods.setState(ended, { terminating: true })
      await lab.agents.haveForgotten(lab.pod(ended))
      const moved = await backends(1)
      for (const [client, pod] of Object.entries(before)) {
        if (pod === ended) assert.notEqual(moved[client], ended, client)
        else assert.equal(moved[client], pod, client)
      }
    })

    test('a client that was silent for timeoutSeconds is given a backend anew, one that came back is not', async () => {
      const only = 'brief-a1'
      const wanted = target(2, 'ClusterIP', 'ipv4', 'udp')
      const silent = unknown.splice(0, 60)
      const steady = unknown.splice(0, 3)
      const ask = async (address: string) => await answerer('outside', { ...wanted, sourceAddress: address })
      assert.equal(new Set(Object.values(await backends(2))).size, 1)
      const boundMs = performance.now()
      await Promise.all([...silent, ...steady].map(ask))
      await lab.pods.create(['a2', 'b1', 'b2'].map((place) => podOf('brief', place)))
      // Each is asked once, so that nobody's silence is broken by the asking.
      await until('silence outlasts the affinity', async () => {
        for (const address of steady) assert.equal(await ask(address), only)
        return (await ask(silent.pop()!)) !== only
      })
      assert.ok(performance.now() - boundMs >= briefSeconds * 1000)
      // These were bound before the strangers, and silent since.
      assert.ok(new Set(Object.values(await backends(2))).size > 1)
    })
  })
}
