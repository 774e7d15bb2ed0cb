// SPDX-License-Identifier: Apache-2.0
/** Random clusters, few of them; `npm run fuzz` makes more. */

import { test } from 'node:test'
import { skip } from '../bpf/requires-bpf.ts'
import { fuzzSeed } from './random.ts'
import { fuzzWorlds } from './worlds/run-worlds.ts'

const WORLDS = 1500

test(`in ${WORLDS} random clusters every packet gets what the objects promise`, { skip }, async (t) => {
  const seed = fuzzSeed()
  t.diagnostic(`MAGLANE_SEED=${seed}`)
  t.diagnostic(JSON.stringify(await fuzzWorlds(WORLDS, seed)))
})
