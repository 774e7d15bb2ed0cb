// SPDX-License-Identifier: Apache-2.0
/** loadObject() in the real kernel. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pinnedNames } from '../../src/bpf/bpffs.ts'
import { closeMap, openPinnedMap } from '../../src/bpf/map-handle.ts'
import { type BpfObject, type LoadOptions, loadObject, ObjectLoadError } from '../../src/bpf/object.ts'
import { runProgram } from '../../src/bpf/prog-run.ts'
import { describeProgram, describeProgramById } from '../../src/bpf/program.ts'
import { digestLog, formatDigest } from '../../src/bpf/verifier-log.ts'
import { loaderObject, pinDirectory, skip } from './requires-bpf.ts'

/** Small enough to load in a moment. */
const maxEntries = { arena: 1024, backends: 16, flows: 16, service_stats: 16 }

function load(options: Partial<LoadOptions> = {}): BpfObject {
  return loadObject({ object: loaderObject, maxEntries, ...options })
}

test('loadObject() loads from a path and from bytes, with the sizes asked for', { skip }, () => {
  for (const object of [loaderObject, readFileSync(loaderObject)]) {
    using loaded = load({ object })
    assert.equal(loaded.maps.get('arena')?.maxEntries, 1024)
    assert.equal(loaded.maps.get('frontends')?.maxEntries, 131072)
    assert.ok(loaded.programs.has('loader_xdp'))
    assert.ok(!loaded.programs.has('loader_refused'), 'a program with SEC("?…") is not loaded unasked')
    assert.ok(![...loaded.maps.keys()].some((name) => name.includes('.rodata')))
  }
})

test('loadObject() loads only the programs asked for', { skip }, () => {
  using loaded = load({ programs: ['loader_tc', 'loader_connect4'] })
  assert.deepEqual([...loaded.programs.keys()].sort(), ['loader_connect4', 'loader_tc'])
  const connect = loaded.programs.get('loader_connect4')!
  // BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT
  assert.deepEqual([connect.type, connect.attachType], [18, 10])
})

test('loadObject() sets knobs, and the verifier drops what they turn off', { skip }, () => {
  const packet = new Uint8Array(64)
  using pass = load()
  using drop = load({ config: { masqueradeAll: 1 } })
  // XDP_PASS, XDP_DROP
  assert.equal(runProgram(pass.programs.get('loader_xdp')!.fd, { packet }).verdict, 2)
  assert.equal(runProgram(drop.programs.get('loader_xdp')!.fd, { packet }).verdict, 1)
  using trace = load({ config: { trace: 1 } })
  const bytesOf = (object: BpfObject) => describeProgram(object.programs.get('loader_xdp')!.fd).translatedLength
  assert.ok(bytesOf(trace) > bytesOf(pass), 'code behind a knob that is off is not there')
})

test('loadObject() refuses names that the object does not have', { skip }, () => {
  assert.throws(() => load({ maxEntries: { nosuch: 1 } }), { code: 'E_BPF_LOAD', message: /no map nosuch/ })
  assert.throws(() => load({ programs: ['nosuch'] }), {
    code: 'E_BPF_LOAD',
    message: /no program nosuch: it has .*loader_xdp/,
  })
})

test('loadObject() says that bytes are no BPF object', { skip }, () => {
  assert.throws(() => load({ object: new Uint8Array(100) }), {
    code: 'E_BPF_LOAD',
    message: /Cannot read the BPF object/,
  })
})

test('loadObject() names the program that the verifier refused, with the end of its log', { skip }, () => {
  assert.throws(
    () => load({ programs: ['loader_tc', 'loader_refused'] }),
    (error) => {
      assert.ok(error instanceof ObjectLoadError)
      assert.equal(error.program, 'loader_refused')
      assert.match(error.message, /invalid access to packet/)
      assert.ok(!error.message.includes('processed '), 'statistics say nothing about the reason')
      assert.equal((error.cause as { code?: string }).code, 'EACCES')
      return true
    },
  )
})

test('loadObject() says that a map could not be created', { skip }, () => {
  assert.throws(() => load({ maxEntries: { ...maxEntries, flows: 0 } }), {
    code: 'E_BPF_LOAD',
    message: /no program was refused: .*EINVAL/,
  })
})

test('digestLog() keeps the last lines and counts the others', () => {
  const log = [
    ...Array.from({ length: 30 }, (_, line) => `line ${line}`),
    '',
    'processed 9 insns (limit 1000000)',
    '',
  ].join('\n')
  const digest = digestLog(log)
  assert.equal(digest.leftOut, 18)
  assert.equal(digest.lines.at(-1), 'line 29')
  assert.match(formatDigest(digest), /^ {2}\(18 lines left out\)\n {2}line 18\n/)
})

test('loadObject() pins every map, and takes them over with their entries', { skip }, (t) => {
  const directory = pinDirectory(t)
  const key = { pinDirectory: directory }
  {
    using first = load(key)
    assert.deepEqual(first.reused, [])
    assert.deepEqual(pinnedNames(directory), [...first.maps.keys()].sort())
    runProgram(first.programs.get('loader_xdp')!.fd, { packet: new Uint8Array(64) })
  }
  using second = load(key)
  assert.deepEqual([...second.reused].sort(), [...second.maps.keys()].sort())
  const pinned = openPinnedMap(join(directory, 'arena'))
  assert.equal(pinned.maxEntries, 1024)
  closeMap(pinned)
})

test('loadObject() fails with all differences to a pinned map, or replaces it when told to', { skip }, (t) => {
  const directory = pinDirectory(t)
  load({ pinDirectory: directory }).close()
  const bigger = { pinDirectory: directory, maxEntries: { ...maxEntries, arena: 2048 } }
  assert.throws(() => load(bigger), {
    code: 'E_PINNED_MAP',
    message: /arena does not fit: maxEntries is 1024, wanted 2048/,
  })
  using replaced = load({ ...bigger, incompatible: 'replace' })
  assert.deepEqual(replaced.replaced, ['arena'])
  assert.equal(replaced.reused.length, replaced.maps.size - 1)
  using again = load(bigger)
  assert.equal(again.reused.length, again.maps.size)
})

test('describeProgram() tells the id, by which describeProgramById() finds the program until it is gone', {
  skip,
}, () => {
  const loaded = load({ programs: ['loader_tc'] })
  const description = describeProgram(loaded.programs.get('loader_tc')!.fd)
  assert.equal(description.name, 'loader_tc')
  assert.match(description.tag, /^[0-9a-f]{16}$/)
  assert.ok(description.verifiedInstructions > 0)
  assert.deepEqual(describeProgramById(description.id), description)
  loaded.close()
  assert.equal(describeProgramById(0x7fff_fff0), undefined)
})
