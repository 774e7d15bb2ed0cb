// SPDX-License-Identifier: Apache-2.0
/** The generated codecs: a golden a struct, worked out by hand from bpf/abi.h, and round trips. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../../src/abi/address.ts'
import { parseCidr } from '../../src/abi/cidr.ts'
import * as abi from '../../src/abi/generated.ts'
import { type Codec, decoded, encoded } from '../../src/abi/runtime.ts'

/** Bytes at offsets; what is not named is zero. */
type Golden = Readonly<Record<number, string>>

const four = parseAddress('10.1.2.3')
const fourHex = '00000000000000000000ffff0a010203'
const six = parseAddress('2001:db8::1')
const sixHex = '20010db8000000000000000000000001'
const zero = parseAddress('::')

const cidr = ({ address, mask }: ReturnType<typeof parseCidr>): abi.Cidr => ({ addr: address, mask })
const ten = cidr(parseCidr('10.0.0.0/8'))
const tenHex = `00000000000000000000ffff0a000000${'ff'.repeat(13)}000000`
const unused = { addr: zero, mask: zero }

const set: abi.BackendSet = { offset: 0x01020304, slots: 101, id: 5, empty: abi.EmptyVerdict.EMPTY_DROP }
const setHex = '04030201650000000500000001000000'

const frontend: abi.Frontend = {
  ...{ service: 9, kind: 2, flags: 0x12, affinityS: 10800, affinityId: 0x1122334455667788n },
  sets: [set, { ...set, empty: abi.EmptyVerdict.EMPTY_REJECT }],
}
const frontendHex = [
  '0900000002120000', // service, kind, flags
  '302a000000000000', // affinity_s
  '8877665544332211', // affinity_id
  setHex,
  '04030201650000000500000000000000',
].join('')

const backend: abi.Backend = { addr: four, port: 8080, proto: 6, flags: 3, affinityId: 1n }
const backendHex = `${fourHex}1f900603000000000100000000000000`

const flowKey: abi.FlowKey = { src: four, dst: six, sport: 0x1234, dport: 80, proto: 17, dir: 1 }
const flowKeyHex = `${fourHex}${sixHex}1234005011010000`

const words = Array.from({ length: 16 }, (_, index) => (index === 1 ? 1 : index === 15 ? 15 : 0))

const hop: abi.Hop = { ifindex: 7, dmac: [1, 2, 3, 4, 5, 6], smac: [7, 8, 9, 10, 11, 12], mtu: 1500, flags: 3 }
const hopHex = '070000000102030405060708090a0b0cdc050300'

const flow: abi.Flow = {
  ...{ src: four, dst: six, sport: 0x1234, dport: 80, addrDelta: 0xabcd, l4Delta: 0x4321, service: 9, backend: 10 },
  ...{ flags: 0x0201, kind: 1, state: 8, hopEpoch: 11, hop, hopS: 12, seenNs: 0x0102030405060708n, affinityId: 13n },
  seenTicks: 14,
}
const flowHex = [
  fourHex,
  sixHex,
  '12340050', // sport, dport
  'cdab2143', // addr_delta, l4_delta
  '090000000a000000', // service, backend
  '01020108', // flags, kind, state
  '0b000000', // hop_epoch
  hopHex,
  '0c000000', // hop_s
  '0807060504030201', // seen_ns
  '0d00000000000000', // affinity_id
  '0e00000000000000', // seen_ticks
].join('')

function golden<T>(codec: Codec<T>, value: T, bytes: Golden): [string, Codec<unknown>, unknown, Golden] {
  return [codec.name, codec as Codec<unknown>, value, bytes]
}

const goldens = [
  golden(abi.affinityCodec, { backend: four, seenNs: 0x0102030405060708n }, { 0: fourHex, 16: '0807060504030201' }),
  golden(abi.affinityKeyCodec, { affinityId: 0xffeeddccbbaa9988n, client: six }, { 0: '8899aabbccddeeff', 8: sixHex }),
  golden(abi.backendCodec, backend, { 0: backendHex }),
  golden(abi.backendSetCodec, set, { 0: setHex }),
  golden(
    abi.slotsCodec,
    { backend: Array.from({ length: 16 }, (_, slot) => (slot === 1 ? 0x01020304 : slot === 15 ? 7 : 0)) },
    { 4: '04030201', 60: '07' },
  ),
  golden(abi.cidrCodec, ten, { 0: tenHex }),
  golden(
    abi.configCodec,
    {
      ...{ seed: 0x01020304, snatPortMin: 1024, snatPortMax: 29999, hostNetns: 0x1122334455667788n, socketLb: 2 },
      ...{
        masqueradeAll: 3,
        haveFibSrc: 4,
        haveSetRetval: 5,
        synthetic: 6,
        trace: 7,
        detectByDevice: 8,
        haveConntrack: 9,
      },
      ...{
        inClusterLen: 1,
        inCluster: [ten, ...Array<abi.Cidr>(7).fill(unused)],
        syntheticSrc4: four,
        syntheticSrc6: six,
      },
    },
    {
      ...{ 0: '04030201', 4: '0004', 6: '2f75', 8: '8877665544332211', 16: '0203040506070809', 28: '01', 32: tenHex },
      ...{ 288: fourHex, 304: sixHex },
    },
  ),
  golden(
    abi.controlCodec,
    {
      abi: 0x01020304,
      hopEpoch: 5,
      events: 6n,
      serviceCidrsLen: 1,
      serviceCidrs: [ten, ...Array<abi.Cidr>(7).fill(unused)],
    },
    { 0: '04030201', 4: '05', 8: '06', 16: '01', 24: tenHex },
  ),
  golden(
    abi.deviceCodec,
    { flags: 2, master: 3, addr4: four, addr6: six, mac: [1, 2, 3, 4, 5, 6] },
    { 0: '02', 4: '03', 8: fourHex, 24: sixHex, 40: '010203040506' },
  ),
  golden(
    abi.eventCodec,
    {
      ...{
        timeNs: 1n,
        reason: 2,
        hook: 3,
        proto: 4,
        kind: 5,
        flags: 0x0607,
        scope: 8,
        icmp: 1,
        service: 9,
        backend: 10,
      },
      ...{ ifindex: 11, length: 1500, src: four, dst: six, newSrc: six, newDst: four },
      ...{ sport: 0x1234, dport: 80, newSport: 0x5678, newDport: 443 },
    },
    {
      ...{ 0: '01', 8: '02030405', 12: '0706', 14: '0801', 16: '09', 20: '0a', 24: '0b', 28: 'dc05' },
      ...{ 32: fourHex, 48: sixHex, 64: sixHex, 80: fourHex, 96: '12340050567801bb' },
    },
  ),
  golden(
    abi.filterCodec,
    { words: Array.from({ length: abi.Limits.FILTER_WORDS }, (_, word) => (word === 1 ? 3n : 0n)) },
    { 8: '03' },
  ),
  golden(abi.flowCodec, flow, { 0: flowHex }),
  golden(
    abi.flowDraftCodec,
    { request: flow, reply: { ...flow, kind: 2 }, replyKey: flowKey, src: six, frontend, backend, fib: words },
    {
      ...{ 0: flowHex, 104: flowHex, 154: '02', 208: flowKeyHex, 248: sixHex, 264: frontendHex, 320: backendHex },
      ...{ 352: '00000000', 356: '01000000', 412: '0f000000' },
    },
  ),
  golden(abi.flowKeyCodec, flowKey, { 0: flowKeyHex }),
  golden(abi.fragCodec, { sport: 0x1234, dport: 80 }, { 0: '12340050' }),
  golden(
    abi.fragKeyCodec,
    { src: four, dst: six, id: 0x01020304, proto: 17, dir: 1 },
    { 0: fourHex, 16: sixHex, 32: '040302011101' },
  ),
  golden(abi.frontendCodec, frontend, { 0: frontendHex }),
  golden(abi.frontendKeyCodec, { addr: four, port: 80, proto: 6 }, { 0: fourHex, 16: '0050', 18: '06' }),
  golden(abi.hopCodec, hop, { 0: hopHex }),
  golden(
    abi.knownRouteCodec,
    { dst: four, src: six, hop, inIfindex: 0x01020304, hopEpoch: 5, ticks: 6 },
    { 0: fourHex, 16: sixHex, 32: hopHex, 52: '04030201', 56: '05', 60: '06' },
  ),
  golden(abi.memberCodec, { backend: 0x01020304 }, { 0: '04030201' }),
  golden(abi.memberKeyCodec, { set: 0x01020304, addr: four }, { 0: '04030201', 4: fourHex }),
  golden(abi.reasonCountCodec, { packets: 1n, bytes: 258n }, { 0: '01', 8: '0201' }),
  golden(
    abi.serviceNameCodec,
    { namespace: 'default', name: 'web', portName: 'http' },
    { 0: '64656661756c74', 64: '776562', 128: '68747470' },
  ),
  golden(
    abi.serviceStatCodec,
    { flows: 1n, packets: 2n, bytes: 3n, refused: 0x0102030405060708n },
    { 0: '01', 8: '02', 16: '03', 24: '0807060504030201' },
  ),
  golden(
    abi.socketKeyCodec,
    { cookie: 0x0102030405060708n, backend: six, port: 53, proto: 17 },
    { 0: '0807060504030201', 8: sixHex, 24: '003511' },
  ),
  golden(
    abi.socketPeerCodec,
    { frontend: four, port: 53, service: 9, backend: 10 },
    { 0: fourHex, 16: '0035', 20: '09', 24: '0a' },
  ),
  golden(abi.sourceRangeCodec, { allow: 1 }, { 0: '01' }),
  golden(
    abi.sourceRangeKeyCodec,
    { prefixlen: 136, service: 0x01020304, addr: four },
    { 0: '88', 4: '01020304', 8: fourHex },
  ),
  golden(
    abi.tcpPeerCodec,
    { cookie: 0x0102030405060708n, backend: four, frontend: six, backendPort: 8080, frontendPort: 80, service: 9 },
    { 0: '0807060504030201', 8: fourHex, 24: sixHex, 40: '1f90', 42: '0050', 44: '09' },
  ),
] as const

function bytesOf(size: number, golden: Golden): Uint8Array {
  const bytes = new Uint8Array(size)
  for (const [offset, hex] of Object.entries(golden)) bytes.set(Buffer.from(hex, 'hex'), Number(offset))
  return bytes
}

for (const [name, codec, value, golden] of goldens) {
  test(`the codec of struct ${name} writes the bytes that C reads, and reads them back`, () => {
    const expected = bytesOf(codec.size, golden)
    // Padding is part of a key: what lay there before must not stay.
    const dirty = new Uint8Array(codec.size + 16).fill(0xee)
    codec.encode(value, new DataView(dirty.buffer), 8)
    assert.deepEqual(dirty.subarray(8, 8 + codec.size), expected)
    assert.deepEqual([...dirty.subarray(0, 8), ...dirty.subarray(8 + codec.size)], Array(16).fill(0xee))
    assert.deepEqual(decoded(codec, expected), value)
  })
}

test('every generated struct has a golden', () => {
  const codecs = Object.entries(abi).filter(([name]) => name.endsWith('Codec'))
  const names = codecs.map(([, codec]) => (codec as Codec<unknown>).name)
  assert.deepEqual(
    names.filter((name) => !goldens.some(([known]) => known === name)),
    [],
  )
})

test('codecs read what they wrote, for random values of every struct', () => {
  let state = 7
  const randomByte = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  }
  for (const [name, codec] of goldens) {
    for (let round = 0; round < (codec.size > 1000 ? 2 : 200); round++) {
      // Text must be text: letters only, and room for the zero at the end.
      const random = (_: unknown, at: number) =>
        name !== 'service_name' ? randomByte() : at % 64 === 63 ? 0 : 97 + (randomByte() % 26)
      const value = decoded(codec, Uint8Array.from({ length: codec.size }, random))
      const bytes = encoded(codec, value)
      assert.deepEqual(decoded(codec, bytes), value, name)
      assert.deepEqual(encoded(codec, decoded(codec, bytes)), bytes, name)
    }
  }
})

test('mapSpecs and abiFingerprint are there for every map of bpf/maps.h', () => {
  assert.equal(abi.mapSpecs.frontends.type, 'HASH')
  assert.equal(abi.mapSpecs.flows.type, 'LRU_HASH')
  assert.equal(abi.mapSpecs.source_ranges.type, 'LPM_TRIE')
  assert.equal(abi.mapSpecs.reasons.maxEntries, abi.Reason.REASON_MAX)
  // BPF_F_MMAPABLE
  assert.equal(abi.mapSpecs.backends.flags, 1 << 10)
  assert.ok(Number.isInteger(abi.abiFingerprint) && abi.abiFingerprint > 0 && abi.abiFingerprint <= 0xffff_ffff)
})

test('enums carry values and names', () => {
  assert.equal(abi.Reason.DROP_SOURCE_RANGE, 26)
  assert.equal(abi.reasonNames[26], 'DROP_SOURCE_RANGE')
  assert.equal(abi.reasonNames[99], undefined)
})
