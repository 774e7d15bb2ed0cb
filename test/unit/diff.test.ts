// SPDX-License-Identifier: Apache-2.0
/** From plans to maps: what is written, in which order, and what a packet could see on the way. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Dataplane } from '../../src/dataplane/dataplane.ts'
import type { ServicePlan } from '../../src/model/types.ts'
import { type MemoryTables, memoryTables } from './diff.memory-tables.ts'
import { frontendPlan, plansOf, portPlan, servicePlan, setPlan, simplePlan } from './diff.plans.ts'
import { readMembers, readTables } from './diff.reader.ts'

const SEED = 7

function dataplaneOn(tables: MemoryTables, clock = { nowMs: 0 }): Dataplane {
  const onFault = (error: unknown) => {
    // An assertion within a write is no fault of the write.
    throw error
  }
  return new Dataplane({ tables, seed: SEED, now: () => clock.nowMs, onFault })
}

/** Every write of every table is stopped half way and looked at. */
function watchWrites(tables: MemoryTables): void {
  tables.fault = () => void readTables(tables)
}

test('sync() makes a Service reachable and removes it without a trace', async () => {
  const tables = memoryTables()
  watchWrites(tables)
  const dataplane = dataplaneOn(tables)
  const web = simplePlan('web', '10.96.0.1', '10.0.0.1:8080', '10.0.0.2:8080*')
  const result = await dataplane.sync(plansOf(web))
  assert.deepEqual(result.failures, [])
  const endpoints = ['10.0.0.1:8080', '10.0.0.2:8080']
  assert.deepEqual(readTables(tables), {
    '10.96.0.1:80/6': { internal: endpoints, external: endpoints },
    '10.96.0.1:*': { internal: [], external: [] },
  })
  await dataplane.sync(plansOf())
  for (const name of ['services', 'members', 'source_ranges', 'frontends'] as const) {
    assert.deepEqual([...tables[name].entries()], [], name)
  }
})

test('sync() writes nothing when the plans are the same', async () => {
  const tables = memoryTables()
  const dataplane = dataplaneOn(tables)
  const plans = plansOf(simplePlan('web', '10.96.0.1', '10.0.0.1:8080'))
  await dataplane.sync(plans)
  tables.log.length = 0
  const result = await dataplane.sync(plans)
  assert.equal(tables.log.length, 0)
  assert.deepEqual([result.changed, result.written], [0, false])
})

test('sync() rewrites the table in place while its length stays', async () => {
  const tables = memoryTables()
  const dataplane = dataplaneOn(tables)
  await dataplane.sync(plansOf(simplePlan('web', '10.96.0.1', '10.0.0.1:80', '10.0.0.2:80')))
  tables.log.length = 0
  watchWrites(tables)
  await dataplane.sync(plansOf(simplePlan('web', '10.96.0.1', '10.0.0.2:80', '10.0.0.3:80', '10.0.0.4:80')))
  assert.deepEqual(
    tables.log.filter((entry) => !entry.startsWith('reset')),
    [],
  )
  assert.deepEqual(readTables(tables)['10.96.0.1:80/6']?.internal, ['10.0.0.2:80', '10.0.0.3:80', '10.0.0.4:80'])
})

test('sync() writes names, members and ranges before frontends, and deletes in reverse', async () => {
  const tables = memoryTables()
  watchWrites(tables)
  const dataplane = dataplaneOn(tables)
  const set = setPlan('10.0.0.1:80', '10.0.0.2:80')
  const guarded = { kind: 'loadBalancerIP', sourceRanges: ['192.0.2.0/24'] } as const
  const plan = servicePlan('web', [portPlan('http', [frontendPlan('198.51.100.1', 80, set, guarded)])], {
    affinitySeconds: 60,
  })
  await dataplane.sync(plansOf(plan))
  await dataplane.sync(plansOf())
  assert.deepEqual(
    tables.log.filter((entry) => !entry.startsWith('reset')),
    [
      'update services',
      'update members',
      'update source_ranges',
      'update frontends',
      'delete frontends',
      'delete source_ranges',
      'delete members',
      'delete services',
    ],
  )
})

test('sync() shares one table between the frontends and the ports of a Service with the same backends', async () => {
  const tables = memoryTables()
  const dataplane = dataplaneOn(tables)
  const frontends = ['10.96.0.1', '192.0.2.1', '192.0.2.2'].map((address) =>
    frontendPlan(address, 80, setPlan('10.0.0.1:80', '10.0.0.2:80')),
  )
  const more = frontends.map((frontend) => ({ ...frontend, port: 81 }))
  await dataplane.sync(plansOf(servicePlan('web', [portPlan('a', frontends), portPlan('b', more)])))
  assert.equal(dataplane.state.resources.arena.used, 401)
  assert.equal(dataplane.state.resources.backends.size, 2)
})

test('sync() shows no client of a Local policy the other set while the sets part', async () => {
  const tables = memoryTables()
  const dataplane = dataplaneOn(tables)
  const all = setPlan('10.0.0.1:80*', '10.0.0.2:80')
  const local = setPlan('10.0.0.1:80*', '10.0.0.3:80*')
  const plan = (external: typeof all): ServicePlan =>
    servicePlan('web', [portPlan('', [frontendPlan('192.0.2.1', 80, all, { kind: 'nodePort', external })])])
  await dataplane.sync(plansOf(plan(all)))
  const seen: string[][] = []
  tables.fault = () => void seen.push(readTables(tables)['192.0.2.1:80/6']?.internal ?? [])
  await dataplane.sync(plansOf(plan(local)))
  await dataplane.sync(plansOf(plan(all)))
  for (const endpoints of seen) assert.deepEqual(endpoints, ['10.0.0.1:80', '10.0.0.2:80'])
  assert.equal(seen.length, 2)
})

test('sync() tries a write again until it succeeds, and every step at most shows whole entries', async () => {
  const tables = memoryTables()
  const faults: unknown[] = []
  let countdown = 0
  tables.fault = () => {
    readTables(tables)
    if (countdown++ % 3 !== 2) throw new Error('ENOMEM')
  }
  const dataplane = new Dataplane({
    tables,
    seed: SEED,
    backOff: { firstMs: 0, maxMs: 0 },
    onFault: (error) => {
      faults.push(error)
      if (faults.length > 200 || error instanceof assert.AssertionError) throw error
    },
  })
  const affinity = { affinitySeconds: 10 }
  for (const backends of [
    ['10.0.0.1:80', '10.0.0.2:80'],
    ['10.0.0.2:80', '10.0.0.3:80', '10.0.0.4:80'],
    ['10.0.0.9:80'],
  ]) {
    const set = setPlan(...backends)
    await dataplane.sync(plansOf(servicePlan('web', [portPlan('', [frontendPlan('10.96.0.1', 80, set)])], affinity)))
    assert.deepEqual(readTables(tables)['10.96.0.1:80/6']?.internal, backends)
    assert.deepEqual(
      [...readMembers(tables).values()].map((ids) => ids.length),
      [backends.length],
    )
  }
  await dataplane.sync(plansOf())
  assert.deepEqual(readTables(tables), {})
  assert.ok(faults.length > 8)
})

test('a Service that finds no room is named, the others stand, and it follows when room is made', async () => {
  const tables = memoryTables({ frontends: 4 })
  const dataplane = dataplaneOn(tables)
  const [a, b, c] = ['a', 'b', 'c'].map((name, i) => simplePlan(name, `10.96.0.${i + 1}`, `10.0.0.${i + 1}:80`)) as [
    ServicePlan,
    ServicePlan,
    ServicePlan,
  ]
  const overflow = await dataplane.sync(plansOf(a, b, c))
  assert.deepEqual(
    overflow.failures.map((error) => [error.code, error.service]),
    [['MAP_FULL', 'default/c']],
  )
  assert.match(overflow.failures[0]?.message ?? '', /default\/c: map frontends has no room/)
  assert.ok(readTables(tables)['10.96.0.2:80/6'])
  await dataplane.sync(plansOf(b, c))
  assert.deepEqual((await dataplane.sync(plansOf(b, c))).failures, [])
  assert.ok(readTables(tables)['10.96.0.3:80/6'])
})

test('a full arena and full backends are errors of the Service that overflows, and take nothing', async () => {
  const tables = memoryTables({ slots: 500, backends: 6 })
  const dataplane = dataplaneOn(tables)
  const big = simplePlan('big', '10.96.0.1', ...[1, 2, 3, 4, 5, 6].map((i) => `10.0.0.${i}:80`))
  const long = simplePlan('long', '10.96.0.2', ...[1, 2, 3, 4, 5].map((i) => `10.0.0.${i}:80`))
  const small = simplePlan('small', '10.96.0.3', '10.0.0.1:80', '10.0.0.2:80')
  const { failures } = await dataplane.sync(plansOf(big, long, small))
  assert.deepEqual(
    failures.map((error) => /map (\w+)/.exec(error.message)?.[1]),
    ['backends', 'arena'],
  )
  assert.deepEqual(readTables(tables)['10.96.0.3:80/6']?.internal, ['10.0.0.1:80', '10.0.0.2:80'])
  assert.equal(dataplane.state.resources.backends.size, 2)
})

test('a frontend that passes from one Service to another is never missing', async () => {
  const tables = memoryTables()
  const dataplane = dataplaneOn(tables)
  const before = simplePlan('old', '10.96.0.1', '10.0.0.1:80')
  const after = simplePlan('new', '10.96.0.1', '10.0.0.2:80')
  await dataplane.sync(plansOf(before))
  tables.fault = () => assert.ok(readTables(tables)['10.96.0.1:80/6'])
  await dataplane.sync(plansOf(after))
  assert.deepEqual(readTables(tables)['10.96.0.1:80/6']?.internal, ['10.0.0.2:80'])
  assert.ok(readTables(tables)['10.96.0.1:*'])
})

test('restore() keeps ids and tables, and only what the plans lack is deleted', async () => {
  const tables = memoryTables()
  const keep = servicePlan(
    'keep',
    [portPlan('', [frontendPlan('10.96.0.1', 80, setPlan('10.0.0.1:80', '10.0.0.2:80*', '10.0.0.3:80'))])],
    { affinitySeconds: 100 },
  )
  const gone = simplePlan('gone', '10.96.0.2', '10.0.0.9:80')
  await dataplaneOn(tables).sync(plansOf(gone, keep))
  const arena = tables.arena.slice()
  tables.log.splice(0)

  const next = dataplaneOn(tables)
  next.restore()
  assert.equal(tables.log.length, 0)
  await next.sync(plansOf(structuredClone(keep)))
  assert.deepEqual(
    tables.log.filter((entry) => !entry.startsWith('reset')),
    ['delete frontends', 'delete services'],
  )
  assert.deepEqual(tables.arena, arena)
  assert.deepEqual(Object.keys(readTables(tables)).sort(), ['10.96.0.1:*', '10.96.0.1:80/6'])
  const report = await next.audit()
  assert.deepEqual(new Set(Object.values(report)), new Set([0]))
})

test('an id is given again only after its rest', async () => {
  const tables = memoryTables()
  const clock = { nowMs: 0 }
  const dataplane = dataplaneOn(tables, clock)
  const idsOf = () => [...(dataplane.state.services.get('default/web')?.backendIds ?? [])]
  await dataplane.sync(plansOf(simplePlan('web', '10.96.0.1', '10.0.0.1:80')))
  const [first] = idsOf()
  await dataplane.sync(plansOf(simplePlan('web', '10.96.0.1', '10.0.0.2:80')))
  await dataplane.sync(plansOf(simplePlan('web', '10.96.0.1', '10.0.0.3:80')))
  assert.ok(!idsOf().includes(first as number))
  clock.nowMs = 60_000
  await dataplane.sync(plansOf(simplePlan('web', '10.96.0.1', '10.0.0.4:80', '10.0.0.5:80')))
  assert.ok(idsOf().includes(first as number))
})

test('audit() counts and repairs what differs', async () => {
  const tables = memoryTables()
  const dataplane = dataplaneOn(tables)
  await dataplane.sync(plansOf(simplePlan('web', '10.96.0.1', '10.0.0.1:80', '10.0.0.2:80')))
  const wanted = readTables(tables)
  tables.arena[0] = 0
  tables.filter.fill(0)
  const [key] = [...tables.frontends.entries()][0] as readonly [Uint8Array, Uint8Array]
  tables.frontends.delete(key, 1)
  tables.services.update(new Uint8Array([9, 0, 0, 0]), new Uint8Array(tables.services.valueSize), 1)
  tables.backends.fill(0, 32, 64)
  const report = await dataplane.audit()
  assert.deepEqual(report, {
    services: 1,
    members: 0,
    source_ranges: 0,
    frontends: 1,
    backends: 1,
    arena: 1,
    filter: 2,
  })
  assert.deepEqual(readTables(tables), wanted)
})

test('the older Service owns an address that two share', async () => {
  const tables = memoryTables()
  const dataplane = new Dataplane({ tables, seed: SEED, answerPing: true })
  const set = setPlan('10.0.0.1:80')
  const plan = (name: string, port: number, creationTimestamp: string) =>
    servicePlan(name, [portPlan('', [frontendPlan('192.0.2.1', port, set, { kind: 'externalIP' })])], {
      externalAddresses: ['192.0.2.1'],
      creationTimestamp,
    })
  const older = plan('b', 80, '2026-01-01T00:00:00Z')
  const younger = plan('a', 81, '2026-01-02T00:00:00Z')
  await dataplane.sync(plansOf(younger, older))
  await dataplane.sync(plansOf(younger))
  assert.ok(readTables(tables)['192.0.2.1:*'])
  await dataplane.sync(plansOf())
  assert.deepEqual(readTables(tables), {})
})
