// SPDX-License-Identifier: Apache-2.0
/** Which addresses of a node NodePorts answer on. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { canonicalAddress, cidrContains, parseCidr } from '../../src/model/ip.ts'
import { nodeContext } from '../../src/model/node-context.ts'
import { normalize } from '../../src/model/normalize.ts'

const addresses = ['127.0.0.1', '::1', '172.20.0.5', '192.168.0.1', 'fd00:192::1', '2001:db8::5']
const { object: node } = normalize(
  'Node',
  {
    metadata: { name: 'node-a', labels: { 'topology.kubernetes.io/zone': 'a' } },
    status: {
      addresses: [
        { type: 'ExternalIP', address: '172.20.0.5' },
        { type: 'InternalIP', address: '192.168.0.1' },
        { type: 'InternalIP', address: 'fd00:192::1' },
      ],
    },
  },
  'node.yaml',
)

describe('nodeContext()', () => {
  const all = ['172.20.0.5', '192.168.0.1', 'fd00:192::1', '2001:db8::5']
  const rows: readonly { entries: readonly string[]; want: readonly string[]; loopback: boolean }[] = [
    { entries: [], want: all, loopback: true },
    { entries: ['all'], want: all, loopback: true },
    { entries: ['0.0.0.0/0', '::/0'], want: all, loopback: true },
    { entries: ['primary'], want: ['192.168.0.1', 'fd00:192::1'], loopback: false },
    { entries: ['localhost'], want: [], loopback: true },
    { entries: ['172.20.0.0/16'], want: ['172.20.0.5', 'fd00:192::1', '2001:db8::5'], loopback: false },
    { entries: ['2001:db8::/32'], want: ['172.20.0.5', '192.168.0.1', '2001:db8::5'], loopback: true },
    { entries: ['10.0.0.0/8', 'fe80::/10'], want: [], loopback: false },
    { entries: ['127.0.0.0/8', 'primary'], want: ['192.168.0.1', 'fd00:192::1'], loopback: true },
  ]
  for (const { entries, want, loopback } of rows) {
    test(`nodePortAddresses [${entries.join(', ')}]`, () => {
      const input = { nodeName: 'node-a', node, addresses, nodePortAddresses: entries, localhostNodePorts: true }
      const context = nodeContext(input)
      assert.deepEqual([context.nodePortAddresses, context.localhostNodePorts], [want, loopback])
      assert.equal(nodeContext({ ...input, localhostNodePorts: false }).localhostNodePorts, false)
    })
  }

  test('the Node object gives zone and primary addresses, and addresses where none are known', () => {
    const context = nodeContext({
      nodeName: 'node-a',
      node,
      addresses: [],
      nodePortAddresses: [],
      localhostNodePorts: true,
    })
    assert.deepEqual(context, {
      nodeName: 'node-a',
      nodePortAddresses: ['192.168.0.1', 'fd00:192::1', '172.20.0.5'],
      nodeAddresses: ['192.168.0.1', 'fd00:192::1', '172.20.0.5'],
      primaryAddresses: ['192.168.0.1', 'fd00:192::1'],
      zone: 'a',
      localhostNodePorts: true,
    })
  })

  test('without a Node object the first address of each family is primary', () => {
    const context = nodeContext({ nodeName: 'x', addresses, nodePortAddresses: ['primary'], localhostNodePorts: true })
    assert.deepEqual(context.primaryAddresses, ['172.20.0.5', 'fd00:192::1'])
  })

  test('an entry that is neither CIDR nor word is named', () => {
    const input = { nodeName: 'x', addresses, nodePortAddresses: ['primery'], localhostNodePorts: true }
    assert.throws(() => nodeContext(input), /nodePortAddresses: .* got 'primery'/)
  })
})

describe('addresses', () => {
  const rows: readonly [string, string | undefined][] = [
    ['010.001.000.255', '10.1.0.255'],
    ['10.0.0.256', undefined],
    ['10.0.0', undefined],
    ['10.0.0.1.2', undefined],
    ['', undefined],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['1::2::3', undefined],
    ['fe80::1%eth0', undefined],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ]
  for (const [text, want] of rows) test(`canonicalAddress('${text}')`, () => assert.equal(canonicalAddress(text), want))

  test('a CIDR clears host bits and never crosses families', () => {
    const range = parseCidr('010.1.2.3/12')
    assert(range)
    assert.equal(range.text, '10.0.0.0/12')
    assert.deepEqual(
      ['10.15.255.255', '10.16.0.0', '::a00:1'].map((address) => cidrContains(range, address)),
      [true, false, false],
    )
    const everything = parseCidr('::/0')
    assert(everything)
    assert.deepEqual(
      ['10.0.0.1', 'fd00::1'].map((address) => cidrContains(everything, address)),
      [false, true],
    )
    assert.deepEqual(
      ['10.0.0.0', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/', '/8'].map(parseCidr),
      Array(5).fill(undefined),
    )
  })
})
