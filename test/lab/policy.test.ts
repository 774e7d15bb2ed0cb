// SPDX-License-Identifier: Apache-2.0
/** Who may reach which backends by which address: traffic policies, ipMode, terminating backends, contested addresses. */

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { nodeAddress, outsideClient } from '../../src/lab/address-plan.ts'
import type { Lab } from '../../src/lab/lab.ts'
import type { ManifestObject } from '../../src/lab/manifest.ts'
import { until } from '../../src/lab/until.ts'
import { families, frontendKinds, protocols, target } from './frontends.ts'
import { labWith, podOf } from './lab-with.ts'
import { externalIp, loadBalancerIp, podPorts, service, servicePort } from './objects.ts'
import { assertOutcomes, type Expected, outcomeOf } from './outcomes.ts'
import { skipWithoutRoot } from './skip.ts'

const callers = ['client-a', 'node-a', 'outside'] as const
const combinations = families.flatMap((family) => protocols.map((proto) => ({ family, proto })))

const [outer, inner, ending, balanced, contest, near] = [1, 2, 3, 4, 5, 7] as const

/** A Service that wants the external IP of Service `contest`, of a certain age. */
function contender(name: string, n: number, creationTimestamp: string): ManifestObject {
  const made = service(name, n, { externalIPs: Object.values(externalIp(contest)) })
  return { ...made, metadata: { ...made.metadata, creationTimestamp } }
}

for (const socketLb of ['all', 'off'] as const) {
  describe(`with --socket-lb ${socketLb}`, skipWithoutRoot, () => {
    let lab: Lab
    before(async () => {
      lab = await labWith(
        { socketLb },
        [
          podOf('outer', 'b'),
          podOf('inner', 'b'),
          podOf('ending', 'a'),
          podOf('ending', 'b'),
          podOf('old', 'a'),
          podOf('young', 'b'),
          podOf('near', 'a'),
          podOf('near', 'b'),
        ],
        [
          service('outer', outer, { externalTrafficPolicy: 'Local' }),
          service('inner', inner, { internalTrafficPolicy: 'Local' }),
          service('ending', ending),
          contender('old', contest, '2026-01-01T00:00:00Z'),
          contender('young', contest + 1, '2026-01-02T00:00:00Z'),
          service('near', near, { trafficDistribution: 'PreferClose' }),
        ],
      )
    })
    after(async () => await lab?.close())

    /** A NodePort of the nth Service on a node, by the node's index. */
    const nodePortOn = (index: number, n: number, { family, proto }: (typeof combinations)[number]) => ({
      ...target(n, 'NodePort', family, proto),
      address: nodeAddress(index)[family],
    })

    test('externalTrafficPolicy: Local drops what comes from outside where no backend is', async () => {
      const rows = combinations.flatMap(({ family, proto }) =>
        frontendKinds.map((kind): Expected => {
          const want = kind === 'ClusterIP' ? 'outer-b' : 'ETIMEDOUT'
          return { from: 'outside', what: kind, target: target(outer, kind, family, proto), want }
        }),
      )
      await assertOutcomes(lab, rows)
    })

    test('externalTrafficPolicy: Local shows a backend of the node the address of the client outside', async () => {
      const addresses = [externalIp(outer), loadBalancerIp(outer)]
      await Promise.all(addresses.flatMap((pair) => Object.values(pair).map((ip) => lab.route(ip, 'node-b'))))
      const rows = combinations.flatMap(({ family, proto }) => {
        const call = { from: 'outside', want: 'outer-b', seen: outsideClient[family] }
        return [
          { ...call, what: 'NodePort of node-b', target: nodePortOn(1, outer, { family, proto }) },
          { ...call, what: 'external IP by node-b', target: target(outer, 'external IP', family, proto) },
          { ...call, what: 'LoadBalancer IP by node-b', target: target(outer, 'LoadBalancer IP', family, proto) },
        ]
      })
      await assertOutcomes(lab, rows)
    })

    test('externalTrafficPolicy: Local does not concern pods and nodes', async () => {
      const rows = combinations.flatMap(({ family, proto }) =>
        frontendKinds.flatMap((kind) =>
          ['client-a', 'node-a'].map((from): Expected => {
            return { from, what: kind, target: target(outer, kind, family, proto), want: 'outer-b' }
          }),
        ),
      )
      await assertOutcomes(lab, rows)
    })

    test('internalTrafficPolicy: Local keeps the ClusterIP, and nothing else, to the node', async () => {
      const rows = combinations.flatMap(({ family, proto }) => [
        ...['client-a', 'node-a', 'outside', 'client-b', 'node-b'].map((from): Expected => {
          const want = from.endsWith('b') ? 'inner-b' : 'ETIMEDOUT'
          return { from, what: 'ClusterIP', target: target(inner, 'ClusterIP', family, proto), want }
        }),
        ...frontendKinds.slice(1).flatMap((kind) =>
          callers.map((from): Expected => {
            return { from, what: kind, target: target(inner, kind, family, proto), want: 'inner-b' }
          }),
        ),
      ])
      await assertOutcomes(lab, rows)
    })

    test('trafficDistribution: PreferClose stays in the zone while it has a backend', async () => {
      const rows = (wants: Readonly<Record<string, string>>) =>
        combinations.flatMap(({ family, proto }) =>
          ['client-a', 'node-a', 'outside', 'client-b', 'node-b'].map((from): Expected => {
            // The fabric brings the client outside to node-a, in zone-a.
            const want = wants[from.endsWith('b') ? 'zone-b' : 'zone-a']!
            return { from, what: 'ClusterIP', target: target(near, 'ClusterIP', family, proto), want }
          }),
        )
      await assertOutcomes(lab, rows({ 'zone-a': 'near-a', 'zone-b': 'near-b' }))
      await lab.pods.setState('near-a', { ready: false })
      await lab.agents.haveForgotten(lab.pod('near-a'))
      await assertOutcomes(lab, rows({ 'zone-a': 'near-b', 'zone-b': 'near-b' }))
    })

    test('terminating backends serve when there are no others, and only then', async () => {
      const answers = async (want: string) => {
        const rows = combinations.flatMap(({ family, proto }) =>
          frontendKinds.flatMap((kind) =>
            callers.map((from): Expected => ({ from, what: kind, target: target(ending, kind, family, proto), want })),
          ),
        )
        await assertOutcomes(lab, rows)
      }
      const [here, there] = [lab.pod('ending-a'), lab.pod('ending-b')]
      await lab.pods.setState('ending-b', { terminating: true })
      await lab.agents.haveForgotten(there)
      await answers('ending-a')
      await lab.pods.remove('ending-a')
      await lab.agents.haveForgotten(here)
      await answers('ending-b')
      await lab.pods.remove('ending-b')
      await lab.agents.haveForgotten(there)
      await answers('ECONNREFUSED')
    })

    test('ipMode: Proxy leaves an address to its owner, and so does loadBalancerIP; no ipMode means VIP', async () => {
      const [http, datagram] = podPorts.map((port) => ({ ...port, port: servicePort }))
      await lab.pods.create([podOf('behind', 'b'), { name: 'balancer', node: 'node-b', ports: [http!, datagram!] }])
      const { addresses } = lab.pod('balancer')
      const ingress = (mode: Readonly<Record<string, string>>) => ({
        loadBalancer: { ingress: Object.values(addresses).map((ip) => ({ ip, ...mode })) },
      })
      const becomes = async (want: string, changes: Readonly<Record<string, unknown>>) => {
        await lab.apply({ ...service('behind', balanced, { loadBalancerIP: addresses.ipv4 }), ...changes })
        const rows = combinations.flatMap(({ family, proto }) =>
          ['client-a', 'node-a'].map((from): Expected => {
            const there = { proto, address: addresses[family], port: servicePort }
            return { from, what: 'the balancer’s address', target: there, want }
          }),
        )
        await until(`${want} answers`, async () => (await outcomeOf(lab.request('client-a', rows[0]!.target))) === want)
        await assertOutcomes(lab, rows)
      }
      await becomes('behind-b', { status: ingress({ ipMode: 'VIP' }) })
      await becomes('balancer', { status: ingress({ ipMode: 'Proxy' }) })
      await becomes('behind-b', { status: ingress({}) })
      // The address that was asked for is not one that was given.
      await becomes('balancer', { status: { loadBalancer: {} } })
    })

    test('of two Services that want one address the older has it until it is gone, and the loss is logged', async () => {
      const rows = (want: string) =>
        combinations.flatMap(({ family, proto }) =>
          callers.map((from): Expected => {
            return { from, what: 'the external IP', target: target(contest, 'external IP', family, proto), want }
          }),
        )
      await assertOutcomes(lab, rows('old-a'))
      const log = await readFile(lab.agents.logFile('node-a'), 'utf8')
      const { ipv4 } = externalIp(contest)
      assert.match(log, new RegExp(`externalIP ${ipv4} port ${servicePort} TCP belongs to Service default/old`))
      assert.match(log, /object="Service default\/young"/)
      await lab.delete({ kind: 'Service', name: 'old' })
      await until('the younger takes over', async () => {
        const call = lab.request('outside', target(contest, 'external IP', 'ipv6', 'tcp'))
        return (await outcomeOf(call)) === 'young-b'
      })
      await assertOutcomes(lab, rows('young-b'))
    })

    test('a NodePort on 127.0.0.1 is for the node’s own processes', async () => {
      const rows = protocols.flatMap((proto) => {
        const local = { ...target(outer, 'NodePort', 'ipv4', proto), address: '127.0.0.1' }
        return [
          { from: 'node-a', what: 'localhost', target: local, want: 'outer-b' },
          { from: 'node-b', what: 'localhost', target: local, want: 'outer-b' },
          { from: 'client-a', what: 'localhost', target: local, want: 'ECONNREFUSED' },
        ]
      })
      await assertOutcomes(lab, rows)
    })
  })
}

describe('with kube-proxy’s flags', skipWithoutRoot, () => {
  let lab: Lab
  before(async () => {
    const agentArguments = ['--masquerade-all', '--localhost-nodeports=false', '--nodeport-addresses=192.0.2.0/24']
    lab = await labWith({ socketLb: 'off', agentArguments }, [podOf('web', 'a')], [service('web', 1)])
  })
  after(async () => await lab?.close())

  test('--masquerade-all hides pods and clients outside from a backend of their node', async () => {
    const rows = combinations.flatMap(({ family, proto }) =>
      ['client-a', 'outside'].map((from): Expected => {
        const there = target(1, 'ClusterIP', family, proto)
        return { from, what: 'ClusterIP', target: there, want: 'web-a', seen: nodeAddress(0)[family] }
      }),
    )
    await assertOutcomes(lab, rows)
  })

  test('--nodeport-addresses restricts the family that it names, --localhost-nodeports closes 127.0.0.1', async () => {
    const rows = callers.flatMap((from) =>
      combinations.map(({ family, proto }): Expected => {
        const want = family === 'ipv6' ? 'web-a' : 'ECONNREFUSED'
        return { from, what: 'NodePort', target: target(1, 'NodePort', family, proto), want }
      }),
    )
    const local = { ...target(1, 'NodePort', 'ipv4', 'tcp'), address: '127.0.0.1' }
    await assertOutcomes(lab, [...rows, { from: 'node-a', what: 'localhost', target: local, want: 'ECONNREFUSED' }])
  })
})
