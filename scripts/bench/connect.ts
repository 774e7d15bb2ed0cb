// SPDX-License-Identifier: Apache-2.0
/**
 * What the socket hooks add to connect(2) and sendto(2), in nanoseconds over a hook that does nothing:
 * `npm run bench -- connect`. Needs root. Prints a table, or JSON with --json; --svg FILE draws it. See docs/bench.md.
 */

import { execFileSync } from 'node:child_process'
import { closeSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { attachCgroup } from '../../src/bpf/links.ts'
import { loadObject } from '../../src/bpf/object.ts'
import type { ProgramHandle } from '../../src/bpf/program.ts'
import { inNetworkNamespace } from '../../src/ffi/libc.ts'
import { barChart } from './bar-chart.ts'
import { addressPlan, bytesOf, type Family, POD_PORT, VIP_PORT } from './support/addresses.ts'
import { enterBenchCgroup } from './support/bench-cgroup.ts'
import { createBenchNetwork } from './support/bench-network.ts'
import { formatMachine, pinToCpu, thisMachine } from './support/machine.ts'
import { enableRunTime, runTimeOf } from './support/run-time.ts'
import { connectTcp, connectUdp, listenOn, openUdp, sendUdp, socketAddress } from './support/sockets.ts'
import { type Summary, summary } from './support/statistics.ts'
import { createWorld } from './support/world.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    calls: { type: 'string', default: '20000' },
    ipv6: { type: 'boolean', default: false },
    cpu: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    svg: { type: 'string' },
  },
})

interface Case {
  readonly name: string
  readonly program: string
  readonly call: () => void
}

const rounds = Number(values.rounds)
const calls = Number(values.calls)
const family: Family = values.ipv6 ? 6 : 4
const plan = addressPlan(family)
const machine = thisMachine()
pinToCpu(Math.min(Number(values.cpu), machine.cpus - 1))

using network = createBenchNetwork()
// Every backend is this namespace itself: a connection is a real one, and no packet leaves.
const prefix = `${plan.localPods}/${plan.prefix.pods}`
execFileSync('ip', ['-n', network.name, `-${family}`, 'route', 'replace', 'local', prefix, 'dev', 'lo'])
using world = createWorld({
  programs: ['sock_connect4', 'sock_connect6', 'sock_sendmsg4', 'sock_sendmsg6'],
  network,
})
using none = loadObject({ object: join(import.meta.dirname, '../../bpf/dist/test/bench_sock.o') })
using cgroup = enterBenchCgroup()
using _timed = enableRunTime()

const vip = socketAddress(bytesOf(plan.localVip), VIP_PORT)
const pod = socketAddress(bytesOf(plan.localPod(0)), POD_PORT)
const inside = <T>(action: () => T extends Promise<unknown> ? never : T) => inNetworkNamespace(network.path, action)
const listener = inside(() => listenOn(socketAddress(bytesOf(family === 4 ? '0.0.0.0' : '::'), POD_PORT)))
const sender = inside(() => openUdp(vip))

const cases: readonly Case[] = [
  { name: `connect${family}: TCP to a Service`, program: `connect${family}`, call: () => connectTcp(vip, listener) },
  { name: `connect${family}: UDP to a Service`, program: `connect${family}`, call: () => connectUdp(vip) },
  { name: `connect${family}: TCP to a pod`, program: `connect${family}`, call: () => connectTcp(pod, listener) },
  { name: `connect${family}: UDP to a pod`, program: `connect${family}`, call: () => connectUdp(pod) },
  { name: `sendmsg${family}: UDP to a Service`, program: `sendmsg${family}`, call: () => sendUdp(sender, vip) },
]
/** Calls that reach a listener only through the hook cannot be made without it: these go to where it would lead. */
const direct: readonly (() => void)[] = [
  () => connectTcp(pod, listener),
  () => connectUdp(pod),
  () => connectTcp(pod, listener),
  () => connectUdp(pod),
  () => sendUdp(sender, pod),
]

const samples = cases.map(() => [] as { readonly gross: number; readonly none: number }[])
for (let round = 0; round < rounds; round++) {
  for (const [index, { program, call }] of cases.entries()) {
    const gross = timed(world.program(`sock_${program}`), call)
    samples[index]?.push({ gross, none: timed(none.programs.get(`null_${program}`)!, direct[index]!) })
  }
}
closeSync(listener)
closeSync(sender)

const rows = cases.map(({ name }, index) => {
  const own = samples[index] ?? []
  return { name, net: summary(own.map(({ gross, none }) => gross - none)), null: summary(own.map(({ none }) => none)) }
})
const wanted = [200, 250]
const report = { machine, family: `IPv${family}`, rounds, calls, rows }

if (values.json) console.log(JSON.stringify(report, undefined, 2))
else {
  console.log(`ns a call over a hook that does nothing, median of ${rounds} interleaved runs of ${calls} calls`)
  console.log(formatMachine(machine))
  console.table(
    Object.fromEntries(
      rows.map(({ name, net, null: driver }) => [name, { net: spread(net), 'null hook': driver.median }]),
    ),
  )
  for (const [index, limit] of wanted.entries()) {
    const { name, net } = rows[index]!
    console.log(`${net.median <= limit ? 'met   ' : 'MISSED'} ${name}: ${net.median} ns, wanted ${limit}`)
  }
}
if (values.svg !== undefined) {
  const bars = rows.map(({ name, net }) => ({ label: name, value: net.median }))
  writeFileSync(values.svg, barChart(`maglane's socket hooks, ${formatMachine(machine)}`, 'ns', bars))
}

/** Nanoseconds a run of the program while the calls are made. */
function timed(program: ProgramHandle, call: () => void): number {
  using _attached = attachCgroup({ programFd: program.fd, attachType: program.attachType, cgroup: cgroup.path })
  const repeat = () => {
    for (let i = 0; i < calls; i++) call()
  }
  const before = runTimeOf(program.fd)
  inside(repeat)
  const after = runTimeOf(program.fd)
  const runs = after.runs - before.runs
  if (runs !== calls) throw new Error(`${program.name} ran ${runs} times for ${calls} calls`)
  return Math.round((after.nanoseconds - before.nanoseconds) / runs)
}

function spread(value: Summary): string {
  return `${value.median} (${value.min}…${value.max})`
}
