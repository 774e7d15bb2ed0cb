// SPDX-License-Identifier: Apache-2.0
/**
 * What a packet costs in maglane's programs, in nanoseconds over a program that does nothing: `npm run bench -- packet`.
 * Needs root. Prints tables, or JSON with --json; --svg FILE draws them. How it is measured: docs/bench.md.
 */

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Family } from './support/addresses.ts'
import { createBenchNetwork } from './support/bench-network.ts'
import type { Hook } from './support/driver.ts'
import { formatMachine, pinToCpu, thisMachine } from './support/machine.ts'
import { PacketBench, type PacketCase, type Sample } from './support/packet-bench.ts'
import { pairChart } from './support/pair-chart.ts'
import { type Summary, summary } from './support/statistics.ts'
import { judge, type Target } from './support/targets.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    hook: { type: 'string', multiple: true, default: ['xdp', 'tc'] },
    ipv6: { type: 'boolean', default: false },
    cpu: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    svg: { type: 'string' },
  },
})

/** Nanoseconds a packet, net of the driver. */
interface Row {
  readonly name: string
  readonly reference: boolean
  readonly one: Summary | null
  readonly many: Summary | null
}

interface Table {
  readonly hook: Hook
  readonly driverNs: number
  readonly rows: readonly Row[]
  readonly targets: readonly Target[]
}

const rounds = Number(values.rounds)
const family: Family = values.ipv6 ? 6 : 4
const machine = thisMachine()
pinToCpu(Math.min(Number(values.cpu), machine.cpus - 1))

using network = createBenchNetwork()
const tables = (values.hook as Hook[]).map(measure)
const report = { machine, family: `IPv${family}`, rounds, tables }

if (values.json) console.log(JSON.stringify(report, undefined, 2))
else {
  console.log(`ns a packet over a null program, IPv${family} TCP, median of ${rounds} interleaved runs`)
  console.log(formatMachine(machine))
  for (const { hook, driverNs, rows, targets } of tables) {
    console.log(`\n${hook} (the driver itself: ${driverNs} ns)`)
    console.table(
      Object.fromEntries(
        rows.map(({ name, one, many }) => [name, { '1 flow': spread(one), '65,536 flows': spread(many) }]),
      ),
    )
    for (const { text, met } of targets) console.log(`${met ? 'met   ' : 'MISSED'} ${text}`)
  }
}
if (values.svg !== undefined) {
  const groups = tables.map(({ hook, rows }) => ({
    title: hook,
    rows: rows.map(({ name, reference, one, many }) => ({
      label: name,
      muted: reference,
      first: one?.median ?? null,
      second: many?.median ?? null,
    })),
  }))
  const title = `maglane: ns a packet over a null program (IPv${family})`
  writeFileSync(
    values.svg,
    pairChart({ title, subtitle: formatMachine(machine), legend: ['1 flow', '65,536 flows'], groups }),
  )
}

/** Case after case, then the same again: a neighbour's load or a clock's step meets all of them. */
function measure(hook: Hook): Table {
  using bench = new PacketBench({ hook, family, network })
  const samples = bench.cases.map(() => ({ one: [] as Sample[], many: [] as Sample[] }))
  for (let round = 0; round < rounds; round++) {
    for (const [index, { one, many }] of bench.cases.entries()) {
      if (one) samples[index]?.one.push(one())
      if (many) samples[index]?.many.push(many())
    }
  }
  const rows = bench.cases.map(({ name, reference }: PacketCase, index): Row => {
    const { one = [], many = [] } = samples[index] ?? {}
    return { name, reference, one: net(one), many: net(many) }
  })
  const driverNs = summary(samples.flatMap(({ one }) => one.map(({ driver }) => driver))).median
  return { hook, driverNs, rows, targets: judge(rows) }
}

function net(samples: readonly Sample[]): Summary | null {
  return samples.length === 0 ? null : summary(samples.map(({ gross, driver }) => gross - driver))
}

function spread(value: Summary | null): string {
  return value === null ? '' : `${value.median} (${value.min}…${value.max})`
}
