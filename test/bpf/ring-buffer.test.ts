// SPDX-License-Identifier: Apache-2.0
/** RingBuffer in the real kernel. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Hook } from '../../src/abi/generated.ts'
import { mapsOf } from '../../src/bpf/maps.ts'
import { loadObject } from '../../src/bpf/object.ts'
import { ProgramRunner } from '../../src/bpf/prog-run.ts'
import { loaderObject, skip } from './requires-bpf.ts'

function open(t: TestContext) {
  const object = loadObject({
    object: loaderObject,
    programs: ['loader_xdp'],
    maxEntries: { arena: 16, events: 4096 },
    config: { trace: 1 },
  })
  const { maps, close } = mapsOf(object.maps)
  const runner = new ProgramRunner()
  t.after(() => {
    runner.close()
    close()
    object.close()
  })
  const send = (length: number) => runner.run(object.programs.get('loader_xdp')!.fd, { packet: new Uint8Array(length) })
  return { events: maps.events, send }
}

test('RingBuffer.drain() takes records once, in order', { skip }, (t) => {
  const { events, send } = open(t)
  assert.deepEqual(events.drain(), [])
  for (const length of [60, 61, 62]) send(length)
  assert.deepEqual(
    events.drain(2).map((event) => event.length),
    [60, 61],
  )
  const [last, ...none] = events.drain()
  assert.deepEqual(none, [])
  assert.deepEqual([last?.length, last?.hook, last?.sport], [62, Hook.HOOK_XDP, 4660])
  assert.deepEqual(events.drain(), [])
})

test('RingBuffer.drain() goes on where the buffer wraps', { skip }, (t) => {
  const { events, send } = open(t)
  // A record takes 112 bytes of 4096: the end of the buffer falls into the middle of one.
  for (let length = 64; length < 264; length++) {
    send(length)
    assert.deepEqual(
      events.drain().map((event) => event.length),
      [length],
    )
  }
})

test('RingBuffer keeps the oldest records when nobody reads', { skip }, (t) => {
  const { events, send } = open(t)
  for (let length = 100; length < 200; length++) send(length)
  const lengths = events.drain().map((event) => event.length)
  assert.ok(lengths.length > 30 && lengths.length < 40)
  assert.deepEqual(
    lengths,
    lengths.map((_, index) => 100 + index),
  )
})

test('RingBuffer.records() wakes up for what arrives, and ends with its signal', { skip }, async (t) => {
  const { events, send } = open(t)
  const abort = new AbortController()
  send(70)
  setImmediate(() => send(71))
  const lengths: number[] = []
  for await (const batch of events.records(abort.signal)) {
    lengths.push(...batch.map((event) => event.length))
    if (lengths.length === 2) abort.abort()
  }
  assert.deepEqual(lengths, [70, 71])
})
