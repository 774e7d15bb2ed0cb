// SPDX-License-Identifier: Apache-2.0
/** What happens to traffic when backends and agents come and go. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ClientError, type Connection } from '../../src/lab/client-process.ts'
import type { ClientAnswer, ClientTarget } from '../../src/lab/client-protocol.ts'
import { createLab, type Lab, type Where } from '../../src/lab/lab.ts'
import { callWhile } from '../../src/lab/steady-calls.ts'
import { until } from '../../src/lab/until.ts'
import { families, frontendKinds, protocols, target } from './frontends.ts'
import { deployment, podPorts, service } from './objects.ts'
import { skipWithoutRoot } from './skip.ts'

const callers: readonly Where[] = ['client-a', 'node-a', 'outside']

for (const socketLb of ['all', 'off'] as const) {
  describe(`while things change, with --socket-lb ${socketLb}`, skipWithoutRoot, () => {
    let lab: Lab
    before(async () => {
      lab = await createLab({ socketLb })
    })
    after(async () => await lab?.close())

    /** A Service with a pod on each node. */
    async function twoPods(name: string, n: number): Promise<void> {
      await lab.pods.create(
        ['a', 'b'].map((node) => ({
          name: `${name}-${node}`,
          node: `node-${node}`,
          labels: { app: name },
          ports: podPorts,
        })),
      )
      await lab.apply(service(name, n))
      for (const pod of [`${name}-a`, `${name}-b`]) {
        for (const from of callers) await (await openTo(pod, from, target(n, 'ClusterIP', 'ipv4', 'tcp'))).close()
      }
    }

    /** Opens connections until one is answered by the pod that is wanted. */
    async function openTo(pod: string, from: Where, wanted: ClientTarget): Promise<Connection> {
      return await until(`${from} reaches ${pod}`, async () => {
        const connection = await lab.open(from, wanted)
        if ((await connection.ask()).pod === pod) return connection
        await connection.close()
        return undefined
      })
    }

    async function codeOf(call: Promise<ClientAnswer>): Promise<string> {
      try {
        return `answered by ${(await call).pod}`
      } catch (error) {
        if (error instanceof ClientError) return error.code
        throw error
      }
    }

    test('a Service without backends is refused to everybody, at every address', async () => {
      await lab.apply(service('empty', 9))
      await until('the Service is refused', async () => {
        return (await codeOf(lab.request('client-a', target(9, 'ClusterIP', 'ipv6', 'tcp')))) === 'ECONNREFUSED'
      })
      for (const from of callers) {
        for (const kind of frontendKinds) {
          for (const family of families) {
            for (const proto of protocols) {
              const code = await codeOf(lab.request(from, target(9, kind, family, proto)))
              assert.equal(code, 'ECONNREFUSED', `${from} → ${kind}, ${family}, ${proto}`)
            }
          }
        }
      }
    })

    for (const family of families) {
      test(`TCP drains from a pod that terminates, UDP leaves it at once, over ${family}`, async () => {
        const n = family === 'ipv4' ? 1 : 7
        const [name, ended, other] = ['', '-b', '-a'].map((suffix) => `drain-${family}${suffix}`)
        await twoPods(name!, n)
        const tcp = target(n, 'ClusterIP', family, 'tcp')
        const udp = target(n, 'ClusterIP', family, 'udp')
        const open = async (wanted: ClientTarget) =>
          await Promise.all(callers.map((from) => openTo(ended!, from, wanted)))
        const kept = await open(tcp)
        const unconnected = await open({ ...udp, connected: false })
        const connected = await open(udp)
        await lab.pods.setState(ended!, { terminating: true })
        await lab.agents.haveForgotten(lab.pod(ended!))
        for (const [index, from] of callers.entries()) {
          assert.equal((await kept[index]!.ask()).pod, ended, `${from} keeps its connection`)
          assert.equal((await unconnected[index]!.ask()).pod, other, `${from} is answered by another pod`)
          // A socket that the hooks had connected is ended, so that its owner opens another; what tc translates just moves.
          await until(
            `${from}’s connected UDP socket leaves the pod`,
            async () => {
              // ECONNABORTED is told once, to whatever call comes first; then the socket is connected to nobody.
              const ends = [`answered by ${other}`, 'ECONNABORTED', 'EDESTADDRREQ']
              return ends.includes(await codeOf(connected[index]!.ask()))
            },
            3_000,
          )
          for (let call = 0; call < 10; call++) {
            assert.equal((await lab.request(from, tcp)).pod, other)
          }
        }
      })
    }

    test('traffic outlives the agent’s sudden death, and connections its restart', async () => {
      await twoPods('outlive', 2)
      const kept = await Promise.all(
        callers.map((from) => openTo('outlive-b', from, target(2, 'ClusterIP', 'ipv4', 'tcp'))),
      )
      const node = lab.node('node-a')
      await lab.agents.kill(node.name, 'SIGKILL')
      const everythingWorks = async (when: string): Promise<void> => {
        for (const [index, from] of callers.entries()) {
          assert.equal((await kept[index]!.ask()).pod, 'outlive-b', `${from} keeps its connection ${when}`)
          for (const kind of frontendKinds) {
            for (const proto of protocols) {
              assert.match(
                (await lab.request(from, target(2, kind, 'ipv6', proto))).pod,
                /^outlive-/,
                `${from}, ${kind} ${when}`,
              )
            }
          }
        }
      }
      try {
        await everythingWorks('while no agent runs')
      } finally {
        await lab.agents.start(node)
      }
      await everythingWorks('after the restart')
    })

    test('a restarted agent catches up with what it missed', async () => {
      await twoPods('missed', 3)
      const node = lab.node('node-a')
      await lab.agents.kill(node.name, 'SIGKILL')
      await lab.pods.remove('missed-b')
      await lab.agents.start(node)
      for (const from of callers) {
        for (let call = 0; call < 10; call++) {
          assert.equal((await lab.request(from, target(3, 'ClusterIP', 'ipv6', 'tcp'))).pod, 'missed-a')
        }
      }
    })

    test('a pod reaches itself through its Service', async () => {
      await lab.pods.create([{ name: 'self', node: 'node-a', labels: { app: 'self' }, ports: podPorts }])
      await lab.apply(service('self', 4))
      for (const kind of frontendKinds) {
        for (const family of families) {
          for (const proto of protocols) {
            const wanted = target(4, kind, family, proto)
            const answer = await until('the pod answers itself', () => lab.request('self', wanted))
            assert.equal(answer.pod, 'self', `${kind}, ${family}, ${proto}`)
            assert.deepEqual(answer.peer, { address: wanted.address, port: wanted.port })
          }
        }
      }
    })

    test('no call fails while a Deployment grows and shrinks', async () => {
      await lab.apply(service('grow', 5), deployment('grow', 2))
      const frontends = frontendKinds.flatMap((kind) =>
        protocols.map((proto) => ({
          service: 'default/grow',
          portName: '',
          kind: 'clusterIP' as const,
          ...target(5, kind, 'ipv4', proto),
        })),
      )
      for (const from of callers) {
        for (const frontend of frontends) await until(`${from} is answered`, () => lab.request(from, frontend))
      }
      const steady = await callWhile(lab, callers, frontends, async () => {
        await lab.scale('grow', 4)
        await lab.scale('grow', 2)
      })
      assert.deepEqual(
        steady.failed.map(({ from, address, proto, error }) => `${from} → ${address} ${proto}: ${error}`),
        [],
      )
      assert.ok(steady.calls > 100)
    })

    test('a removed Service is no longer answered', async () => {
      await twoPods('gone', 6)
      await lab.delete({ kind: 'Service', name: 'gone' })
      for (const from of callers) {
        await until(`${from} gets no answer`, async () => {
          const code = await codeOf(lab.request(from, { ...target(6, 'ClusterIP', 'ipv4', 'tcp'), timeoutMs: 200 }))
          return !code.startsWith('answered')
        })
      }
    })
  })
}
