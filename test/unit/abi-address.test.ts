// SPDX-License-Identifier: Apache-2.0
/** Addresses and CIDRs as text and as bytes. */

import assert from 'node:assert/strict'
import { isIPv4, isIPv6 } from 'node:net'
import { test } from 'node:test'
import {
  addressFromBytes,
  compareAddresses,
  formatAddress,
  formatEndpoint,
  parseAddress,
} from '../../src/abi/address.ts'
import { cidrContains, parseCidr, prefixMask } from '../../src/abi/cidr.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

const canonical: readonly (readonly [text: string, bytes: string, canonical: string])[] = [
  ['10.0.0.1', '00000000000000000000ffff0a000001', '10.0.0.1'],
  ['010.000.0.0001', '00000000000000000000ffff0a000001', '10.0.0.1'],
  ['::ffff:192.0.2.9', '00000000000000000000ffffc0000209', '192.0.2.9'],
  ['::FFFF:c000:0209', '00000000000000000000ffffc0000209', '192.0.2.9'],
  ['::', '00000000000000000000000000000000', '::'],
  ['::1', '00000000000000000000000000000001', '::1'],
  ['1::', '00010000000000000000000000000000', '1::'],
  ['2001:DB8:0:0:0:0:0:1', '20010db8000000000000000000000001', '2001:db8::1'],
  ['2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
  ['2001:0:0:1:0:0:0:1', '20010000000000010000000000000001', '2001:0:0:1::1'],
  ['2001:db8:0:0:1:0:0:1', '20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
  ['64:ff9b::010.0.0.1', '0064ff9b00000000000000000a000001', '64:ff9b::a00:1'],
  ['1:2:3:4:5:6:7.8.9.10', '0001000200030004000500060708090a', '1:2:3:4:5:6:708:90a'],
  ['::1.2.3.4', '00000000000000000000000001020304', '::102:304'],
]

test('parseAddress() and formatAddress() go from any spelling over bytes to the canonical one', () => {
  for (const [text, bytes, expected] of canonical) {
    assert.equal(hex(parseAddress(text)), bytes, text)
    assert.equal(formatAddress(parseAddress(text)), expected, text)
  }
})

test('parseAddress() refuses what is no address', () => {
  for (const text of [
    ...[
      '',
      ' ',
      '1.2.3',
      '1.2.3.4.5',
      '1.2.3.256',
      '1.2.3.',
      '1..2.3',
      '0x1.2.3.4',
      '1.2.3.4 ',
      '-1.2.3.4',
      '1e1.2.3.4',
    ],
    ...[
      ':',
      ':::',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1::2::3',
      '12345::',
      'g::',
      'fe80::1%eth0',
      ':1:2:3:4:5:6:7',
    ],
    ...[
      '1:2:3:4:5:6:7:8::',
      '1:2:3:4:5:6:7:1.2.3.4',
      '1.2.3.4::',
      '::1.2.3',
      '1:2:3:4:5:6:7:',
      '::1.2.3.4:5',
      '::ffff:1.2.3.400',
    ],
  ]) {
    assert.throws(() => parseAddress(text), { code: 'E_ADDRESS' }, `'${text}'`)
  }
})

test('formatAddress() is undone by parseAddress() for random addresses with runs of zeros', () => {
  let state = 1
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
  for (let round = 0; round < 5000; round++) {
    const bytes = Uint8Array.from({ length: 16 }, () => (random(3) === 0 ? random(256) : 0))
    if (round % 5 === 0) bytes.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff])
    const address = addressFromBytes(bytes)
    const text = formatAddress(address)
    assert.ok(isIPv4(text) || isIPv6(text), text)
    assert.deepEqual(parseAddress(text), address, text)
    // The platform's own canonical form, where it has the same rules.
    if (isIPv6(text)) assert.equal(new URL(`http://[${text}]/`).hostname, `[${text}]`)
  }
})

test('addressFromBytes() maps four bytes and copies sixteen', () => {
  assert.equal(formatAddress(addressFromBytes(Uint8Array.of(192, 0, 2, 1))), '192.0.2.1')
  const source = new Uint8Array(16)
  const copy = addressFromBytes(source)
  source[0] = 1
  assert.equal(copy[0], 0)
  assert.throws(() => addressFromBytes(new Uint8Array(5)), { code: 'E_ADDRESS' })
})

test('compareAddresses() orders addresses by number, not by text', () => {
  const sorted = ['::1', '9.0.0.1', '10.0.0.1', '10.0.0.2', '2001:db8::1', '2001:db8::10']
  assert.deepEqual(sorted.toReversed().map(parseAddress).sort(compareAddresses).map(formatAddress), sorted)
})

test('formatEndpoint() puts IPv6 in brackets', () => {
  assert.equal(formatEndpoint(parseAddress('10.0.0.1'), 80), '10.0.0.1:80')
  assert.equal(formatEndpoint(parseAddress('2001:db8::1'), 80), '[2001:db8::1]:80')
})

test('parseCidr() clears host bits, ignores blanks around and counts IPv4 prefixes from bit 96', () => {
  const cidr = parseCidr(' 010.1.2.3/12 ')
  assert.equal(cidr.bits, 108)
  assert.equal(formatAddress(cidr.address), '10.0.0.0')
  assert.equal(hex(cidr.mask), 'fffffffffffffffffffffffffff00000')
  assert.equal(parseCidr('::ffff:10.0.0.0/104').bits, 104)
  assert.equal(parseCidr('::/0').bits, 0)
  for (const text of ['10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '::/129', '/8', '10.0.0.0/8/8', '10.0.0.0/-1', 'x/8']) {
    assert.throws(() => parseCidr(text), { code: 'E_ADDRESS' }, text)
  }
})

test('prefixMask() has as many leading ones as asked for', () => {
  for (let bits = 0; bits <= 128; bits++) {
    const ones = [...prefixMask(bits)].map((byte) => byte.toString(2).padStart(8, '0')).join('')
    assert.equal(ones, '1'.repeat(bits).padEnd(128, '0'))
  }
})

test('cidrContains() tells inside from outside and keeps the families apart', () => {
  assert.ok(cidrContains(parseCidr('10.0.0.0/8'), parseAddress('10.255.0.1')))
  assert.ok(!cidrContains(parseCidr('10.0.0.0/8'), parseAddress('11.0.0.1')))
  assert.ok(cidrContains(parseCidr('0.0.0.0/0'), parseAddress('203.0.113.1')))
  assert.ok(!cidrContains(parseCidr('0.0.0.0/0'), parseAddress('2001:db8::1')))
  assert.ok(cidrContains(parseCidr('::/0'), parseAddress('2001:db8::1')))
  assert.ok(!cidrContains(parseCidr('::/0'), parseAddress('203.0.113.1')))
})
