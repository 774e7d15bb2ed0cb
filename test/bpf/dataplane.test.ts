// SPDX-License-Identifier: Apache-2.0
/** The dataplane on the kernel's maps: programmed, taken over, repaired, swept. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Address, parseAddress } from '../../src/abi/address.ts'
import { Direction, type Flow, FlowFlags, type FlowKey, FlowState } from '../../src/abi/generated.ts'
import { shippedObject } from '../../src/agent/load-programs.ts'
import { BPFFS, removePinDirectory } from '../../src/bpf/bpffs.ts'
import { type Maps, mapsOf } from '../../src/bpf/maps.ts'
import { loadObject } from '../../src/bpf/object.ts'
import { ipProtocol } from '../../src/compiler/ip-protocol.ts'
import { Dataplane } from '../../src/dataplane/dataplane.ts'
import { bitOf, setBit } from '../../src/dataplane/filter-bits.ts'
import { liveTables } from '../../src/dataplane/live-tables.ts'
import { Sweeper } from '../../src/dataplane/sweeper.ts'
import { frontendPlan, plansOf, portPlan, servicePlan, setPlan, simplePlan } from '../unit/diff.plans.ts'
import { readTables } from '../unit/diff.reader.ts'

const skip = process.getuid?.() === 0 ? false : 'needs root'
const SEED = 7
const NOW_NS = 1_000_000n * 1_000_000_000n

/** Small maps of this test's own; pinned where a test looks at what a restart finds. */
function ownMaps(context: TestContext, pinDirectory?: string): Maps {
  const sizes = { arena: 65_536, backends: 4_096, frontends: 4_096, flows: 4_096, members: 4_096, services: 1_024 }
  const object = loadObject({
    object: shippedObject(),
    programs: [],
    maxEntries: sizes,
    ...(pinDirectory === undefined ? {} : { pinDirectory }),
  })
  const open = mapsOf(object.maps)
  context.after(() => {
    open.close()
    object.close()
  })
  return open.maps
}

const rich = servicePlan(
  'rich',
  [
    portPlan('http', [
      frontendPlan('10.96.0.1', 80, setPlan('10.0.0.1:80', '10.0.0.2:80*', '10.0.0.3:80')),
      frontendPlan('198.51.100.1', 80, setPlan('10.0.0.1:80', '10.0.0.2:80*', '10.0.0.3:80'), {
        kind: 'loadBalancerIP',
        external: setPlan('10.0.0.2:80*'),
        sourceRanges: ['192.0.2.0/24', '2001:db8::/32'],
      }),
    ]),
    portPlan('dns', [frontendPlan('fd00::1', 53, setPlan('fd00:1::1:53'))], { protocol: 'UDP' }),
  ],
  { affinitySeconds: 60 },
)

test('sync() programs the kernel’s maps, and an empty sync empties them', { skip }, async (context) => {
  const tables = liveTables(ownMaps(context))
  const dataplane = new Dataplane({ tables, seed: SEED })
  const { failures } = await dataplane.sync(plansOf(rich, simplePlan('plain', '10.96.0.2', '10.0.0.9:80')))
  assert.deepEqual(failures, [])
  const all = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80']
  const seen = readTables(tables)
  assert.deepEqual(seen['198.51.100.1:80/6'], { internal: all, external: ['10.0.0.2:80'] })
  assert.deepEqual(seen['[fd00::1]:53/17']?.internal, ['[fd00:1::1]:53'])
  assert.deepEqual([...tables.source_ranges.entries()].length, 2)
  assert.deepEqual([...tables.members.entries()].length, 5)
  assert.deepEqual(new Set(Object.values(await dataplane.audit())), new Set([0]))
  await dataplane.sync(plansOf())
  for (const name of ['services', 'members', 'source_ranges', 'frontends'] as const) {
    assert.deepEqual([...tables[name].entries()], [], name)
  }
})

test('a restart takes pinned maps over and changes nothing that is right', { skip }, async (context) => {
  const directory = `${BPFFS}/maglane/test-dataplane-${process.pid}/maps`
  context.after(() => removePinDirectory(`${BPFFS}/maglane/test-dataplane-${process.pid}`))
  const before = liveTables(ownMaps(context, directory))
  await new Dataplane({ tables: before, seed: SEED }).sync(
    plansOf(rich, simplePlan('gone', '10.96.0.2', '10.0.0.9:80')),
  )
  const arena = before.arena.slice()

  const after = liveTables(ownMaps(context, directory))
  const dataplane = new Dataplane({ tables: after, seed: SEED })
  dataplane.restore()
  await dataplane.sync(plansOf(structuredClone(rich)))
  assert.deepEqual(after.arena, arena)
  assert.equal(readTables(after)['10.96.0.2:80/6'], undefined)
  assert.deepEqual(new Set(Object.values(await dataplane.audit())), new Set([0]))
})

const addresses = new Map<string, Address>()
function address(text: string): Address {
  const known = addresses.get(text) ?? parseAddress(text)
  addresses.set(text, known)
  return known
}

/** Both directions of a flow to a local backend. */
function addFlow(
  maps: Maps,
  proto: number,
  sport: number,
  more: Partial<Flow>,
  idleS: readonly [number, number],
): void {
  const client = { addr: address('192.0.2.9'), port: sport }
  const vip = { addr: address('10.96.0.7'), port: 80 }
  const backend = { addr: address('10.0.0.7'), port: 8080 }
  const flow = (src: typeof client, dst: typeof client, idle: number, flags: number): Flow => ({
    src: src.addr,
    dst: dst.addr,
    sport: src.port,
    dport: dst.port,
    addrDelta: 0,
    l4Delta: 0,
    service: 1,
    backend: 1,
    kind: 1,
    state: 0,
    hopEpoch: 0,
    hop: { ifindex: 0, dmac: [], smac: [], mtu: 0, flags: 0 },
    hopS: 0,
    affinityId: 0n,
    seenTicks: 0,
    ...more,
    flags,
    seenNs: NOW_NS - BigInt(idle) * 1_000_000_000n,
  })
  const key = (src: typeof client, dst: typeof client, dir: number): FlowKey => ({
    src: src.addr,
    dst: dst.addr,
    sport: src.port,
    dport: dst.port,
    proto,
    dir,
  })
  maps.flows.set(key(client, vip, Direction.DIR_INGRESS), flow(client, backend, idleS[0], FlowFlags.FLOW_F_PAIR_EGRESS))
  maps.flows.set(key(backend, client, Direction.DIR_EGRESS), flow(vip, client, idleS[1], FlowFlags.FLOW_F_REPLY))
}

test('sweep() forgets flows by their state, both directions together, and clears bits they leave', {
  skip,
}, async (context) => {
  const maps = ownMaps(context)
  const tables = liveTables(maps)
  const dataplane = new Dataplane({ tables, seed: SEED })
  const { TCP, UDP } = ipProtocol
  const answered = { state: FlowState.FLOW_SEEN_REPLY }
  addFlow(maps, TCP, 1001, { state: FlowState.FLOW_RST }, [60, 60])
  addFlow(maps, TCP, 1002, { state: FlowState.FLOW_FIN | FlowState.FLOW_PEER_FIN }, [5, 5])
  addFlow(maps, TCP, 1003, answered, [7_200, 7_200])
  addFlow(maps, UDP, 1004, answered, [200, 200])
  addFlow(maps, UDP, 1005, answered, [10, 200])
  addFlow(maps, UDP, 1006, {}, [31, 31])
  const backendBit = bitOf('10.0.0.7', 8080, TCP)
  setBit(tables.filter, backendBit)
  setBit(tables.filter, 12_345)
  let serving = true
  const sweeper = new Sweeper({
    flows: maps.flows,
    filter: tables.filter,
    bits: dataplane.state.bits,
    serves: () => serving,
    now: () => NOW_NS,
  })
  const ports = () =>
    [...maps.flows.entries()].map(([key]) => (key.dport === 80 ? key.sport : key.dport)).sort((a, b) => a - b)
  const first = await sweeper.sweep()
  assert.deepEqual(ports(), [1002, 1002, 1003, 1003, 1005, 1005])
  assert.deepEqual([first.seen, first.clearedBits], [12, 0])
  serving = false
  await sweeper.sweep()
  assert.deepEqual(ports(), [1002, 1002, 1003, 1003])
  const isSet = (bit: number) => ((tables.filter[bit >>> 5] as number) & (1 << (bit & 31))) !== 0
  assert.deepEqual([isSet(12_345), isSet(backendBit)], [false, true])
})
