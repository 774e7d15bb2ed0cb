// SPDX-License-Identifier: Apache-2.0
/** The programs against the reference model; `npm run fuzz` sends more packets. */

import { test } from 'node:test'
import { skip } from '../bpf/requires-bpf.ts'
import { fuzzSeed } from './random.ts'
import { fuzzPackets, packetSettings } from './run-packets.ts'

/** To each node. */
const PACKETS = 30_000

for (const [name, options] of Object.entries(packetSettings)) {
  test(`every program does with ${PACKETS} packets what the reference says: ${name}`, { skip }, async (t) => {
    const seed = fuzzSeed()
    t.diagnostic(`MAGLANE_SEED=${seed}`)
    const reasons = await fuzzPackets(options, PACKETS, seed)
    t.diagnostic([...reasons].map(([reason, count]) => `${reason} ${count}`).join(', '))
  })
}
