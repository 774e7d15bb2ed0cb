// SPDX-License-Identifier: Apache-2.0
/** loadBalancerSourceRanges: guard the load balancer's address for every client, and nothing else. */

import { after, before, describe, test } from 'node:test'
import { type AddressPair, nodeAddress, outsideClient, outsideClient2, podCidr } from '../../src/lab/address-plan.ts'
import type { Lab } from '../../src/lab/lab.ts'
import { families, frontendKinds, protocols, target } from './frontends.ts'
import { labWith, podOf } from './lab-with.ts'
import { service } from './objects.ts'
import { assertOutcomes } from './outcomes.ts'
import { skipWithoutRoot } from './skip.ts'

/** A client alone, with blanks around as people write them. */
const alone = ({ ipv4, ipv6 }: AddressPair) => [` ${ipv4}/32`, `${ipv6}/128 `]

interface Caller {
  readonly from: string
  readonly source?: AddressPair
}

const outside = { from: 'outside', source: outsideClient }
const anotherOutside = { from: 'outside', source: outsideClient2 }
const [podA, podB, nodeA, nodeB] = ['client-a', 'client-b', 'node-a', 'node-b'].map((from) => ({ from }))

const cases: readonly { name: string; ranges: readonly string[]; inside: readonly Caller[] }[] = [
  { name: 'a client outside', ranges: alone(outsideClient), inside: [outside] },
  { name: 'the pods of a node', ranges: Object.values(podCidr(0)), inside: [podA!] },
  { name: 'a node', ranges: alone(nodeAddress(0)), inside: [nodeA!] },
]
const callers: readonly Caller[] = [outside, anotherOutside, podA!, podB!, nodeA!, nodeB!]

for (const socketLb of ['all', 'off'] as const) {
  describe(`with --socket-lb ${socketLb}`, skipWithoutRoot, () => {
    let lab: Lab
    before(async () => {
      lab = await labWith(
        { socketLb },
        [podOf('web', 'a')],
        cases.map(({ ranges }, index) =>
          service(`web-${index}`, index + 1, { selector: { app: 'web' }, loadBalancerSourceRanges: ranges }),
        ),
      )
    })
    after(async () => await lab?.close())

    for (const [index, { name, inside }] of cases.entries()) {
      test(`ranges that hold ${name} keep all others from the load balancer’s address, and from no other`, async () => {
        const rows = callers.flatMap((caller) =>
          frontendKinds.flatMap((kind) =>
            families.flatMap((family) =>
              protocols.map((proto) => {
                const own = caller.source === undefined ? {} : { sourceAddress: caller.source[family] }
                const guarded = kind === 'LoadBalancer IP' && !inside.includes(caller)
                return {
                  from: caller.from,
                  what: kind,
                  target: { ...target(index + 1, kind, family, proto), ...own },
                  want: guarded ? 'ETIMEDOUT' : 'web-a',
                }
              }),
            ),
          ),
        )
        await assertOutcomes(lab, rows)
      })
    }
  })
}
