// SPDX-License-Identifier: Apache-2.0
/** Packets that are asked about: from text, to bytes. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatEndpoint } from '../../src/abi/address.ts'
import { checksumHolds, pseudoHeaderSum } from '../../src/reference/checksum.ts'
import { crc32c } from '../../src/trace/crc32c.ts'
import { firstPacket } from '../../src/trace/first-packet.ts'
import { formatPacket, readPacket, readPacketLine, TracePacketError } from '../../src/trace/trace-packet.ts'

function texts(packet: ReturnType<typeof readPacket>): string[] {
  const { source, destination, protocol, from } = packet
  const [src, dst] = [source, destination].map(({ address, port }) => formatEndpoint(address, port))
  return [src ?? '', dst ?? '', protocol, from ?? '']
}

const readings: readonly (readonly [Parameters<typeof readPacket>[0], readonly string[]])[] = [
  [
    { src: '10.0.0.2:40000', dst: '10.96.0.1:80', proto: 'udp', from: 'pod' },
    ['10.0.0.2:40000', '10.96.0.1:80', 'UDP', 'pod'],
  ],
  [{ src: '10.0.0.2', dst: '10.96.0.1:80' }, ['10.0.0.2:54321', '10.96.0.1:80', 'TCP', '']],
  [{ src: 'fd00::2', dst: '[fd00::1]:80', proto: 'SCTP' }, ['[fd00::2]:54321', '[fd00::1]:80', 'SCTP', '']],
  [{ src: '[fd00::2]', dst: '[fd00:0::1]:65535' }, ['[fd00::2]:54321', '[fd00::1]:65535', 'TCP', '']],
  [{ src: ' 010.0.0.2:1 ', dst: '::ffff:10.0.0.1' }, []],
  [{ src: '10.0.0.2', dst: '[::ffff:10.0.0.1]:80' }, ['10.0.0.2:54321', '10.0.0.1:80', 'TCP', '']],
]

test('readPacket() reads addresses with and without ports, in both families', () => {
  for (const [text, expected] of readings) {
    if (expected.length === 0) assert.throws(() => readPacket(text), TracePacketError)
    else assert.deepEqual(texts(readPacket(text)), expected)
  }
})

const faults: readonly (readonly [Partial<Parameters<typeof readPacket>[0]>, RegExp])[] = [
  [{ src: '10.0.0' }, /^src: expected IP:PORT.*'10\.0\.0'$/],
  [{ src: '' }, /^src: expected/],
  [{ dst: '10.0.0.1' }, /^dst has no port: '10\.0\.0\.1'$/],
  [{ dst: '10.0.0.1:0' }, /^dst: expected a port from 1 to 65535/],
  [{ dst: '10.0.0.1:65536' }, /^dst: expected a port/],
  [{ dst: '10.0.0.1:http' }, /^dst: expected IP:PORT/],
  [{ dst: 'fd00::1:80' }, /^dst has no port/],
  [{ dst: '[10.0.0.1]:80' }, /^dst: expected IP:PORT/],
  [{ dst: '[fd00::1%eth0]:80' }, /^dst: expected IP:PORT/],
  [{ dst: '[fd00::1]:80' }, /one IP family/],
  [{ proto: 'icmp' }, /^proto: expected tcp, udp, sctp, got 'icmp'$/],
  [{ proto: 'toString' }, /^proto: expected/],
  [{ from: 'outside' }, /^from: expected pod, host, external, got 'outside'$/],
]

test('readPacket() names the field that cannot be read', () => {
  for (const [change, message] of faults) {
    assert.throws(() => readPacket({ src: '10.0.0.2', dst: '10.0.0.1:80', ...change }), {
      message,
      code: 'E_TRACE_PACKET',
    })
  }
})

test('readPacketLine() takes what the line says before the defaults', () => {
  const line = '{"src":"10.0.0.2:1","dst":"10.0.0.1:80","proto":"udp","from":null}'
  assert.deepEqual(texts(readPacketLine(line)), ['10.0.0.2:1', '10.0.0.1:80', 'UDP', ''])
  assert.deepEqual(texts(readPacketLine(line, { proto: 'tcp', from: 'host' })), [
    '10.0.0.2:1',
    '10.0.0.1:80',
    'UDP',
    'host',
  ])
  assert.deepEqual(texts(readPacketLine('{"src":"10.0.0.2:1","dst":"10.0.0.1:80"}', { proto: 'sctp' }))[2], 'SCTP')
})

test('readPacketLine() says what is wrong with a line', () => {
  for (const [line, message] of [
    ['', /^Expected a JSON object: /],
    ['{', /^Expected a JSON object: /],
    ['null', /^Expected a JSON object, got 'null'$/],
    ['[]', /^Expected a JSON object/],
    ['{}', /^src is missing$/],
    ['{"src":"10.0.0.2"}', /^dst is missing$/],
    ['{"src":1,"dst":"10.0.0.1:80"}', /^src: expected text, got '1'$/],
    ['{"src":"10.0.0.2","dst":"10.0.0.1:80","proto":6}', /^proto: expected text, got '6'$/],
  ] as const) {
    assert.throws(() => readPacketLine(line), { message, name: 'TracePacketError' }, line)
  }
})

test('formatPacket() shows protocol and both ends', () => {
  assert.equal(formatPacket(readPacket({ src: 'fd00::2', dst: '[fd00::1]:80' })), 'TCP [fd00::2]:54321 → [fd00::1]:80')
})

test('crc32c() gives the check value of its definition', () => {
  // RFC 3720, B.4, and the catalogue of CRCs.
  assert.equal(crc32c(new TextEncoder().encode('123456789')), 0xe3069283)
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
})

// Checksums added up by hand.
test('firstPacket() is a SYN whose bytes are these', () => {
  const bytes = firstPacket(readPacket({ src: '10.0.0.2:40000', dst: '10.96.0.1:80', proto: 'tcp' }))
  assert.equal(
    Buffer.from(bytes).toString('hex'),
    [
      '0200000000010200000000020800',
      '45000028000040004006266e0a0000020a600001',
      '9c40005000000001000000005002fffffeee0000',
    ].join(''),
  )
})

const families = [
  { src: '10.0.0.2:40000', dst: '10.96.0.1:5353', l3: 20, header: [26, 34] },
  { src: '[fd00::2]:40000', dst: '[fd00:96::1]:5353', l3: 40, header: [22, 54] },
] as const

test('firstPacket() has right lengths and checksums for each protocol in both families', () => {
  for (const { src, dst, l3, header } of families) {
    const size = (header[1] - header[0]) / 2
    for (const [proto, number, length] of [
      ['tcp', 6, 20],
      ['udp', 17, 21],
      ['sctp', 132, 32],
    ] as const) {
      const bytes = firstPacket(readPacket({ src, dst, proto }))
      const view = new DataView(bytes.buffer)
      const transport = bytes.subarray(14 + l3)
      assert.equal(transport.length, length, proto)
      assert.equal(view.getUint16(12), l3 === 20 ? 0x0800 : 0x86dd)
      assert.equal(bytes[14 + (l3 === 20 ? 9 : 6)], number)
      if (l3 === 20) {
        assert.equal(view.getUint16(16), l3 + length)
        assert(checksumHolds(bytes.subarray(14, 34)))
      } else assert.equal(view.getUint16(18), length)
      assert.deepEqual([view.getUint16(14 + l3), view.getUint16(16 + l3)], [40_000, 5353])
      if (proto === 'sctp') {
        const copy = transport.slice()
        copy.fill(0, 8, 12)
        assert.equal(view.getUint32(14 + l3 + 8, true), crc32c(copy))
        assert.equal(transport[12], 1, 'INIT')
        continue
      }
      const from = bytes.subarray(header[0], header[0] + size)
      const to = bytes.subarray(header[0] + size, header[1])
      assert(checksumHolds(transport, pseudoHeaderSum(from, to, number, length)), proto)
      if (proto === 'udp') assert.equal(view.getUint16(14 + l3 + 4), length)
    }
  }
})
