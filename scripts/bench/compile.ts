// SPDX-License-Identifier: Apache-2.0
/**
 * How long the control plane takes from objects in memory to the kernel's maps: everything at once, and one endpoint
 * changed. Needs root. Prints a table, or JSON with --json; --svg FILE draws the times.
 */

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { memoryOfMaps, shippedObject } from '../../src/agent/load-programs.ts'
import { mapsOf } from '../../src/bpf/maps.ts'
import { loadObject } from '../../src/bpf/object.ts'
import { DEFAULT_CONFIG } from '../../src/config/config.ts'
import { Dataplane } from '../../src/dataplane/dataplane.ts'
import { liveTables } from '../../src/dataplane/live-tables.ts'
import { updateModel } from '../../src/model/model.ts'
import { nodeContext } from '../../src/model/node-context.ts'
import { barChart } from './bar-chart.ts'
import { objectSet, slice } from './compile-objects.ts'

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '10000' },
    endpoints: { type: 'string', default: '10' },
    changes: { type: 'string', default: '50' },
    json: { type: 'boolean', default: false },
    svg: { type: 'string' },
  },
})
const services = Number(values.services)
const endpoints = Number(values.endpoints)
const changes = Number(values.changes)

const round = (ms: number) => Math.round(ms * 100) / 100
const quantile = (times: readonly number[], q: number) =>
  round([...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * q))] ?? Number.NaN)
const mebibytes = (bytes: number) => Math.round(bytes / 1024 / 1024)

const objects = objectSet(services, endpoints)
const context = nodeContext({
  nodeName: 'node-0',
  addresses: ['192.168.0.10'],
  nodePortAddresses: [],
  localhostNodePorts: true,
})
using object = loadObject({ object: shippedObject(), programs: [] })
using open = mapsOf(object.maps)
const dataplane = new Dataplane({ tables: liveTables(open.maps), seed: DEFAULT_CONFIG.seed })
const rssBefore = process.memoryUsage.rss()

const cpuStart = process.cpuUsage()
const fullStart = performance.now()
let model = updateModel(undefined, objects, context)
const modelEnd = performance.now()
const { failures } = await dataplane.sync(model.plans)
const fullEnd = performance.now()
const cpu = process.cpuUsage(cpuStart)
if (failures.length > 0) throw failures[0]

const times: number[] = []
for (let change = 1; change <= changes; change++) {
  const index = (change * 7919) % services
  // A source keeps the map's order and replaces one object.
  const endpointSlices = new Map(objects.endpointSlices).set(`bench/svc-${index}-0`, slice(index, endpoints, change))
  const start = performance.now()
  model = updateModel(model, { ...objects, endpointSlices }, context)
  const result = await dataplane.sync(model.plans)
  times.push(performance.now() - start)
  if (result.changed === 0) throw new Error('The change changed nothing')
}
const drift = await dataplane.audit()

const report = {
  services,
  endpoints,
  full: {
    modelMs: round(modelEnd - fullStart),
    programMs: round(fullEnd - modelEnd),
    totalMs: round(fullEnd - fullStart),
    /** Of all threads, the garbage collector's included: what counts on a machine that does other things besides. */
    cpuMs: round((cpu.user + cpu.system) / 1000),
  },
  oneEndpoint: { medianMs: quantile(times, 0.5), p95Ms: quantile(times, 0.95), maxMs: quantile(times, 1), changes },
  memory: {
    processMiB: mebibytes(process.memoryUsage.rss()),
    addedMiB: mebibytes(process.memoryUsage.rss() - rssBefore),
    mapsMiB: mebibytes(memoryOfMaps(DEFAULT_CONFIG).reduce((sum, [, bytes]) => sum + bytes, 0)),
  },
  drift: Object.values(drift).reduce((sum, count) => sum + count, 0),
  node: process.version,
}

if (values.json) console.log(JSON.stringify(report, undefined, 2))
else {
  console.log(`${services} Services × ${endpoints} endpoints, from objects in memory to maps`)
  console.table({
    'full: model': { ms: report.full.modelMs },
    'full: compile, diff, write': { ms: report.full.programMs },
    'full: total': { ms: report.full.totalMs },
    'full: CPU time': { ms: report.full.cpuMs },
    'one endpoint: median': { ms: report.oneEndpoint.medianMs },
    'one endpoint: p95': { ms: report.oneEndpoint.p95Ms },
  })
  console.log(
    `process ${report.memory.processMiB} MiB, of it ${report.memory.addedMiB} MiB by this; maps when full ${report.memory.mapsMiB} MiB`,
  )
}
if (values.svg !== undefined) {
  const bars = [
    { label: 'full: model', value: report.full.modelMs },
    { label: 'full: compile, diff, write', value: report.full.programMs },
    { label: 'full: total', value: report.full.totalMs },
    { label: 'one endpoint: median', value: report.oneEndpoint.medianMs },
    { label: 'one endpoint: p95', value: report.oneEndpoint.p95Ms },
  ]
  writeFileSync(values.svg, barChart(`${services} Services × ${endpoints} endpoints, objects to maps`, 'ms', bars))
}
