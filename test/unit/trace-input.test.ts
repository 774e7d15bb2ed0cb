// SPDX-License-Identifier: Apache-2.0
/** Lines of a stream, places of clients, sizes of maps. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../../src/abi/address.ts'
import { Limits } from '../../src/abi/generated.ts'
import { tableLength } from '../../src/compiler/maglev.ts'
import { placeByAddress } from '../../src/trace/client-place.ts'
import { mapSizes } from '../../src/trace/map-sizes.ts'
import { readLines } from '../../src/trace/read-lines.ts'
import { frontendPlan, portPlan, servicePlan, setPlan } from './diff.plans.ts'

async function linesOf(...chunks: readonly (string | Uint8Array)[]): Promise<string[]> {
  const source = (async function* () {
    yield* chunks
  })()
  const lines: string[] = []
  for await (const line of readLines(source)) lines.push(line)
  return lines
}

test('readLines() gives every line once, however the stream is cut', async () => {
  const text = 'a\r\nbé\n\nc'
  const bytes = new TextEncoder().encode(text)
  const expected = ['a', 'bé', '', 'c']
  assert.deepEqual(await linesOf(text), expected)
  assert.deepEqual(await linesOf(...Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))), expected)
  assert.deepEqual(await linesOf('a\n', 'b\n'), ['a', 'b'])
  assert.deepEqual(await linesOf(''), [])
  assert.deepEqual(await linesOf('\n'), [''])
})

test('readLines() gives a line before the next one is there', async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  const lines = readLines(
    (async function* () {
      yield 'first\nsec'
      yield await promise
    })(),
  )
  assert.equal((await lines.next()).value, 'first')
  resolve('ond\n')
  assert.equal((await lines.next()).value, 'second')
  assert.equal((await lines.next()).done, true)
})

test('placeByAddress() tells the host before pods, and pods before outside', () => {
  const place = placeByAddress({
    nodeAddresses: ['172.18.0.11', '10.244.1.1'],
    podCidrs: ['10.244.0.0/16', 'fd00:10:244::/48', 'not a range'],
    podAddresses: ['192.0.2.7', 'fd00:7::7'],
  })
  for (const [address, expected] of [
    ['172.18.0.11', 'host'],
    ['10.244.1.1', 'host'],
    ['127.0.0.53', 'host'],
    ['::1', 'host'],
    ['10.244.9.9', 'pod'],
    ['fd00:10:244:3::1', 'pod'],
    ['192.0.2.7', 'pod'],
    ['fd00:7::7', 'pod'],
    ['192.0.2.8', 'external'],
    ['2001:db8::1', 'external'],
  ] as const) {
    assert.equal(place({ address: parseAddress(address), port: 1 }), expected, address)
  }
})

test('mapSizes() has room for what plans compile to, and an element for id 0', () => {
  const set = setPlan('10.1.0.1:80', '10.1.0.2:80')
  const web = servicePlan(
    'web',
    [
      portPlan('a', [
        frontendPlan('10.96.0.1', 80, set),
        frontendPlan('203.0.113.1', 80, set, { kind: 'loadBalancerIP', sourceRanges: ['10.0.0.0/8'] }),
      ]),
      portPlan('b', [frontendPlan('10.96.0.1', 81, set)]),
    ],
    { externalAddresses: ['203.0.113.1'] },
  )
  const { services, service_stats, backends, arena, members, source_ranges, frontends } = mapSizes([web])
  assert.deepEqual(
    { services, service_stats, backends, arena, members, source_ranges, frontends },
    {
      ...{
        services: 3,
        service_stats: 4,
        backends: 4,
        arena: Math.ceil((1 + tableLength(2)) / Limits.ARENA_SLOTS),
        members: 3,
        source_ranges: 2,
      },
      frontends: 1 + 3 + 2,
    },
  )
})

test('mapSizes() asks for no empty map', () => {
  for (const [name, size] of Object.entries(mapSizes([]))) assert(size > 0, name)
})
