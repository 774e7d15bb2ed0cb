// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run fuzz -- [--worlds N] [--packets N] [--seed S]`: the fuzz tests for longer than `npm test` takes. Random clusters
 * (default 10,000) and packets to each node (default 250,000). What differs is printed with the seed that repeats it. Needs root.
 */

import process from 'node:process'
import { parseArgs } from 'node:util'
import { fuzzSeed } from '../test/fuzz/random.ts'
import { fuzzPackets, packetSettings } from '../test/fuzz/run-packets.ts'
import { fuzzWorlds } from '../test/fuzz/worlds/run-worlds.ts'

const { values } = parseArgs({
  options: {
    worlds: { type: 'string', default: '10000' },
    packets: { type: 'string', default: '250000' },
    seed: { type: 'string' },
  },
})
if (process.getuid?.() !== 0) {
  console.error('Loading BPF programs needs root')
  process.exit(1)
}

const seed = values.seed === undefined ? fuzzSeed() : Number(values.seed) >>> 0
console.log(`MAGLANE_SEED=${seed}`)
await timed(`${values.worlds} worlds`, () => fuzzWorlds(Number(values.worlds), seed))
for (const [name, options] of Object.entries(packetSettings)) {
  const count = Number(values.packets)
  await timed(`${count} packets to ${name}`, async () => Object.fromEntries(await fuzzPackets(options, count, seed)))
}

async function timed(what: string, run: () => Promise<object>): Promise<void> {
  const start = performance.now()
  const tally = await run()
  console.log(`${what}: ${((performance.now() - start) / 1000).toFixed(1)} s, ${JSON.stringify(tally)}`)
}
