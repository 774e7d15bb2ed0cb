// SPDX-License-Identifier: Apache-2.0
/** What no port of a Service claims: pings to its addresses, unknown ports of its ClusterIPs, ClusterIPs without an owner. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { serviceCidr } from '../../src/lab/address-plan.ts'
import type { Lab } from '../../src/lab/lab.ts'
import { type FrontendKind, families, protocols, target } from './frontends.ts'
import { labWith, podOf } from './lab-with.ts'
import { clusterAddress, service } from './objects.ts'
import { assertOutcomes } from './outcomes.ts'
import { skipWithoutRoot } from './skip.ts'

const callers = ['client-a', 'node-a', 'outside'] as const

/** How many of two pings are answered: `2 received`, `0 received, +2 errors`. */
async function ping(lab: Lab, from: string, address: string): Promise<string> {
  // Silence is waited for as long as -W says; an answer in the lab takes a millisecond.
  const { stdout, stderr } = await lab.exec(from, ['ping', '-n', '-c', '2', '-i', '0.05', '-W', '0.3', address])
  const [said = stderr] = /\d+ received(, \+\d+ errors)?/.exec(stdout) ?? []
  return said
}

const configurations = [
  { socketLb: 'all', answerPing: true },
  { socketLb: 'off', answerPing: false },
] as const

for (const { socketLb, answerPing } of configurations) {
  describe(`with --socket-lb ${socketLb} and --answer-ping=${answerPing}`, skipWithoutRoot, () => {
    let lab: Lab
    before(async () => {
      lab = await labWith(
        { socketLb, agentArguments: [`--answer-ping=${answerPing}`] },
        [podOf('web', 'b')],
        [
          service('web', 1),
          {
            apiVersion: 'networking.k8s.io/v1',
            kind: 'ServiceCIDR',
            metadata: { name: 'kubernetes' },
            spec: { cidrs: Object.values(serviceCidr) },
          },
        ],
      )
    })
    after(async () => await lab?.close())

    const pings = async (kinds: readonly FrontendKind[]) => {
      const rows = callers.flatMap((from) =>
        kinds.flatMap((kind) => families.map((family) => ({ from, kind, family }))),
      )
      return await Promise.all(
        rows.map(async ({ from, kind, family }) => {
          return `${from}, ${kind}, ${family}: ${await ping(lab, from, target(1, kind, family, 'udp').address)}`
        }),
      )
    }

    test(`a ping to a ClusterIP is ${answerPing ? 'answered' : 'dropped'}`, async () => {
      const want = answerPing ? '2 received' : '0 received'
      for (const said of await pings(['ClusterIP'])) assert.ok(said.endsWith(`: ${want}`), said)
    })

    // Else the node's routes decide, as without maglane: nobody in the lab has the address.
    test(`a ping to an external address is ${answerPing ? 'answered' : 'left to the routes'}`, async () => {
      const want = answerPing ? /: 2 received$/ : /: 0 received/
      for (const said of await pings(['external IP', 'LoadBalancer IP'])) assert.match(said, want)
    })

    test('a port that no Service has is refused at a ClusterIP', async () => {
      const rows = callers.flatMap((from) =>
        families.flatMap((family) =>
          protocols.map((proto) => {
            const unknown = { ...target(1, 'ClusterIP', family, proto), port: 81 }
            return { from, what: 'unknown port', target: unknown, want: 'ECONNREFUSED' }
          }),
        ),
      )
      await assertOutcomes(lab, rows)
    })

    test('an address of the ServiceCIDR that no Service holds is silent', async () => {
      const rows = callers.flatMap((from) =>
        families.flatMap((family) =>
          protocols.map((proto) => {
            const nobody = { ...target(1, 'ClusterIP', family, proto), address: clusterAddress(2)[family] }
            return { from, what: 'address without an owner', target: nobody, want: 'ETIMEDOUT' }
          }),
        ),
      )
      await assertOutcomes(lab, rows)
    })
  })
}
