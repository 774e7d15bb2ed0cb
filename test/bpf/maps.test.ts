// SPDX-License-Identifier: Apache-2.0
/** Typed maps in the real kernel. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { addressFromBytes, parseAddress } from '../../src/abi/address.ts'
import { type Frontend, type FrontendKey, frontendKeyCodec, mapSpecs, Reason } from '../../src/abi/generated.ts'
import { HashMap, MapWriteError } from '../../src/bpf/hash-map.ts'
import { mapsOf, openPinnedMaps } from '../../src/bpf/maps.ts'
import { mapMemory } from '../../src/bpf/memory.ts'
import { type BpfObject, type LoadOptions, loadObject } from '../../src/bpf/object.ts'
import { possibleCpus } from '../../src/bpf/possible-cpus.ts'
import { runProgram } from '../../src/bpf/prog-run.ts'
import { loaderObject, pinDirectory, skip } from './requires-bpf.ts'

const maxEntries = { arena: 63, backends: 16, flows: 64, frontends: 10_000, source_ranges: 100, service_stats: 5000 }

function open(t: TestContext, options: Partial<LoadOptions> = {}) {
  const object: BpfObject = loadObject({ object: loaderObject, maxEntries, programs: ['loader_xdp'], ...options })
  const { maps, close } = mapsOf(object.maps)
  t.after(() => {
    close()
    object.close()
  })
  return { maps, object }
}

function frontendKey(index: number): FrontendKey {
  return {
    addr: addressFromBytes(Uint8Array.of(10, index >> 16, (index >> 8) & 0xff, index & 0xff)),
    port: 80,
    proto: 6,
  }
}

function frontend(service: number): Frontend {
  const set = { offset: service, slots: 1, id: 0, empty: 0 }
  return { service, kind: 1, flags: 0, affinityS: 0, affinityId: 7n, sets: [set, { ...set, empty: 1 }] }
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)
const entries = (count: number) => numbers(count).map((index) => [frontendKey(index), frontend(index)] as const)

test('HashMap get, set and delete: absence is undefined and false', { skip }, (t) => {
  const { frontends } = open(t).maps
  const key = frontendKey(1)
  assert.equal(frontends.get(key), undefined)
  assert.equal(frontends.delete(key), false)
  frontends.set(key, frontend(1))
  assert.deepEqual(frontends.get(key), frontend(1))
  assert.throws(() => frontends.set(key, frontend(2), 'create'), { code: 'EEXIST' })
  frontends.set(key, frontend(2), 'replace')
  assert.equal(frontends.get(key)?.service, 2)
  assert.equal(frontends.delete(key), true)
  assert.throws(() => frontends.set(key, frontend(2), 'replace'), { code: 'ENOENT' })
})

test('HashMap writes, reads and deletes many entries', { skip }, (t) => {
  const { frontends } = open(t).maps
  const wanted = entries(9000)
  assert.equal(frontends.setMany(wanted), 9000)
  const services = [...frontends.entries()].map(([key, value]) => {
    assert.deepEqual(frontendKey(value.service), key)
    return value.service
  })
  assert.deepEqual(
    services.sort((a, b) => a - b),
    numbers(9000),
  )
  // Every second one is not there; neither are those behind the end.
  assert.equal(frontends.deleteMany(numbers(4500).map((index) => frontendKey(index * 2))), 4500)
  assert.equal(frontends.deleteMany(numbers(10_000).map(frontendKey)), 4500)
  assert.deepEqual([...frontends.entries()], [])
  frontends.setMany(wanted)
  assert.equal(frontends.clear(), 9000)
  assert.equal(frontends.clear(), 0)
})

test('HashMap.setMany() says that the map is full and how far it came', { skip }, (t) => {
  const { frontends } = open(t, { maxEntries: { ...maxEntries, frontends: 5000 } }).maps
  assert.throws(
    () => frontends.setMany(entries(6000)),
    (error) => {
      assert.ok(error instanceof MapWriteError)
      assert.equal(error.full, true)
      assert.equal(error.written, [...frontends.entries()].length)
      assert.ok(error.written >= 5000 && error.written < 6000)
      assert.match(error.message, /map frontends is full: it holds 5000 entries/)
      return true
    },
  )
})

test('HashMap reads an LRU hash', { skip }, (t) => {
  const { affinities } = open(t).maps
  const key = { affinityId: 9n, client: parseAddress('192.0.2.1') }
  affinities.set(key, { backend: parseAddress('2001:db8::1'), seenNs: 5n })
  assert.deepEqual([...affinities.entries()], [[key, { backend: parseAddress('2001:db8::1'), seenNs: 5n }]])
})

test('HashMap writes, matches, reads and deletes the prefixes of an LPM trie', { skip }, (t) => {
  const { source_ranges } = open(t).maps
  const range = (text: string, prefixlen: number, service: number) => ({ prefixlen, service, addr: parseAddress(text) })
  const ranges = [
    range('10.0.0.0', 32 + 96 + 8, 1),
    range('2001:db8::', 32 + 32, 1),
    range('10.0.0.0', 32 + 96 + 8, 0x01020304),
  ]
  source_ranges.setMany(ranges.map((key) => [key, { allow: 1 }] as const))
  assert.deepEqual(source_ranges.get(range('10.9.9.9', 160, 1)), { allow: 1 })
  assert.deepEqual(source_ranges.get(range('10.9.9.9', 160, 0x01020304)), { allow: 1 })
  assert.equal(source_ranges.get(range('10.9.9.9', 160, 2)), undefined)
  assert.equal(source_ranges.get(range('11.9.9.9', 160, 1)), undefined)
  assert.deepEqual(source_ranges.get(range('2001:db8:ffff::', 160, 1)), { allow: 1 })
  const seen = [...source_ranges.entries()].map(([key]) => key.service)
  assert.deepEqual(
    seen.sort((a, b) => a - b),
    [1, 1, 0x01020304],
  )
  assert.equal(source_ranges.deleteMany([...ranges, range('12.0.0.0', 136, 1)]), 3)
  assert.deepEqual([...source_ranges.entries()], [])
})

test('HashMap refuses a codec of another size than the map', { skip }, (t) => {
  const { object } = open(t)
  assert.throws(() => new HashMap(object.maps.get('affinities')!, frontendKeyCodec, mapSpecs.affinities.value), {
    code: 'E_MAP_SHAPE',
    message: /map affinities: keys have 24 bytes, frontend_key has 20/,
  })
})

test('MmapArray stores are what the kernel reads, and the arena has no gaps', { skip }, (t) => {
  const { maps, object } = open(t)
  const { arena, backends } = maps
  assert.equal(arena.words.length, 63 * 16)
  arena.words[1000] = 77
  assert.equal(arena.get(62).backend[8], 77)
  const backend = { addr: parseAddress('10.1.2.3'), port: 8080, proto: 17, flags: 3, affinityId: 1n }
  backends.set(15, backend)
  // By the system call, which knows nothing of the mapping.
  const bySyscall = new HashMap(object.maps.get('backends')!, mapSpecs.backends.key, mapSpecs.backends.value)
  assert.deepEqual(bySyscall.get(15), backend)
  bySyscall.set(14, backend)
  assert.deepEqual(backends.get(14), backend)
  const slots = new HashMap(object.maps.get('arena')!, mapSpecs.arena.key, mapSpecs.arena.value)
  assert.equal(slots.get(62)?.backend[8], 77)
  assert.throws(() => backends.get(16), { code: 'E_ABI_VALUE' })
  assert.throws(() => backends.set(-1, backend), { code: 'E_ABI_VALUE' })
})

test('PerCpuArray adds the counters of all CPUs', { skip }, (t) => {
  const { maps, object } = open(t)
  const program = object.programs.get('loader_xdp')!.fd
  for (const length of [64, 100]) runProgram(program, { packet: new Uint8Array(length), repeat: 10 })
  assert.deepEqual(maps.reasons.sum(Reason.FORWARD_NEW), { packets: 20n, bytes: 1640n })
  assert.equal(maps.reasons.get(Reason.FORWARD_NEW).length, possibleCpus())
  const counted = [...maps.reasons.sums()].filter(([, sum]) => sum.packets > 0n)
  assert.deepEqual(counted, [[Reason.FORWARD_NEW, { packets: 20n, bytes: 1640n }]])
  maps.reasons.clear(Reason.FORWARD_NEW)
  assert.deepEqual(maps.reasons.sum(Reason.FORWARD_NEW), { packets: 0n, bytes: 0n })
  assert.equal([...maps.service_stats.sums()].length, maxEntries.service_stats)
})

test('openPinnedMaps() reads what another holder of the maps wrote, and cannot write arrays by default', {
  skip,
}, (t) => {
  const directory = pinDirectory(t)
  const { maps } = open(t, { pinDirectory: directory })
  maps.frontends.set(frontendKey(5), frontend(5))
  maps.backends.set(3, { addr: parseAddress('10.1.2.3'), port: 1, proto: 6, flags: 1, affinityId: 0n })
  {
    using pinned = openPinnedMaps(directory)
    assert.equal(pinned.maps.frontends.get(frontendKey(5))?.service, 5)
    assert.equal(pinned.maps.backends.get(3).port, 1)
  }
  using writable = openPinnedMaps(directory, { writable: true })
  writable.maps.backends.set(3, { addr: parseAddress('10.1.2.3'), port: 2, proto: 6, flags: 1, affinityId: 0n })
  assert.equal(maps.backends.get(3).port, 2)
  using missing = openPinnedMaps(`${directory}-none`)
  assert.throws(() => missing.maps.frontends, { code: 'ENOENT' })
})

test('mapMemory() is at least what the kernel charges for a full map, and not far above', { skip }, (t) => {
  const full = { members: 4000, source_ranges: 4000, services: 400, devices: 400 }
  const { maps, object } = open(t, { maxEntries: { ...maxEntries, ...full } })
  // These are allocated as they are filled.
  const address = (index: number) => frontendKey(index).addr
  const name = { namespace: 'default', name: 'web', portName: '' }
  const device = maps.devices.value.decode(new DataView(new ArrayBuffer(maps.devices.value.size)), 0)
  maps.members.setMany(numbers(4000).map((set) => [{ set, addr: address(1) }, { backend: set }] as const))
  maps.source_ranges.setMany(
    numbers(4000).map((service) => [{ prefixlen: 160, service, addr: address(1) }, { allow: 1 }] as const),
  )
  maps.services.setMany(numbers(400).map((service) => [service, name] as const))
  maps.devices.setMany(numbers(400).map((ifindex) => [ifindex, device] as const))
  for (const map of object.maps.values()) {
    const charged = chargedBytes(map.fd)
    const estimate = mapMemory(map)
    // The kernel's number leaves out what its allocator rounds up, and a trie's branches: as many as entries, at worst.
    const slack = map.name === 'source_ranges' ? 4.1 : map.name in full ? 1.5 : 1.1
    assert.ok(
      estimate >= charged && estimate <= charged * slack + 4096,
      `${map.name}: charged ${charged}, estimated ${estimate}`,
    )
  }
})

/** memlock of the map's fdinfo. */
function chargedBytes(fd: number): number {
  return Number(/^memlock:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1])
}
