// SPDX-License-Identifier: Apache-2.0
/** The records of the DNS specification 1.1.0, and what is answered where there is none. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { answer } from '../../src/dns/answer.ts'
import { addressLabel, labelAddress, reverseName } from '../../src/dns/names.ts'
import { buildZone } from '../../src/dns/zone.ts'
import type { ZoneRecord } from '../../src/dns/zone-record.ts'
import { Fields } from '../../src/model/fields.ts'
import type { EndpointSlice } from '../../src/model/types.ts'
import { normalizePod, type Pod } from '../../src/source/pod.ts'
import { objectSet, service, slice } from './model-fixture.ts'

type Raw = Readonly<Record<string, unknown>>

function named(name: string, spec: Raw = {}, namespace = 'default') {
  return service(spec, { metadata: { name, namespace } })
}

function sliceOf(name: string, endpoints: readonly Raw[], rest: Raw = {}, suffix = '1'): EndpointSlice {
  return slice(endpoints, rest, { name: `${name}-${suffix}`, labels: { 'kubernetes.io/service-name': name } })
}

function pod(name: string, namespace: string): Pod {
  return normalizePod(new Fields({ metadata: { name, namespace }, status: { podIP: '10.244.1.9' } }))
}

const headless = { clusterIP: 'None', ports: [{ name: 'http', port: 80 }] }
const httpPort = { ports: [{ name: 'http', port: 8080 }] }

const zone = buildZone(
  {
    objects: objectSet(
      [
        named('web', {
          clusterIPs: ['10.96.0.10', 'fd00:10:96::10'],
          ports: [
            { name: 'http', port: 80 },
            { name: 'DNS', port: 53, protocol: 'UDP' },
          ],
        }),
        named('single', { clusterIP: '10.96.0.11' }),
        named('six', { clusterIP: 'fd00:10:96::6' }),
        named('pending', { clusterIP: '' }),
        named('set', headless),
        named('all', { ...headless, publishNotReadyAddresses: true }),
        named('none', headless),
        named('portless', { clusterIP: 'None', ports: [] }),
        named('governed', { clusterIP: '10.96.0.12' }),
        named('outside', { type: 'ExternalName', externalName: 'WWW.Example.com.', clusterIP: '', ports: [] }),
        named('alias', {
          type: 'ExternalName',
          externalName: 'web.default.svc.cluster.local',
          clusterIP: '',
          ports: [],
        }),
        named('dangling', {
          type: 'ExternalName',
          externalName: 'no.default.svc.cluster.local',
          clusterIP: '',
          ports: [],
        }),
        named('circle', {
          type: 'ExternalName',
          externalName: 'circle.default.svc.cluster.local',
          clusterIP: '',
          ports: [],
        }),
        named('address', { type: 'ExternalName', externalName: '192.0.2.7', clusterIP: '', ports: [] }),
        named('web', { clusterIP: '10.96.1.10' }, 'shop'),
      ],
      [
        sliceOf(
          'set',
          [
            { addresses: ['10.244.1.1'], hostname: 'Zero', conditions: { ready: true } },
            { addresses: ['10.244.1.2'] },
            { addresses: ['10.244.1.3'], conditions: { ready: false, serving: true } },
            { addresses: ['10.244.1.4'], hostname: 'no.label' },
          ],
          httpPort,
        ),
        sliceOf(
          'set',
          [{ addresses: ['fd00:10:244:1::1'], hostname: 'zero' }, { addresses: ['fd00:10:244::'] }],
          { ...httpPort, addressType: 'IPv6' },
          '2',
        ),
        sliceOf('set', [{ addresses: ['example.com'] }], { ...httpPort, addressType: 'FQDN' }, '3'),
        sliceOf('all', [{ addresses: ['10.244.2.1'], conditions: { ready: false } }], httpPort),
        sliceOf('none', [{ addresses: ['10.244.3.1'], conditions: { ready: false } }], httpPort),
        sliceOf('portless', [{ addresses: ['10.244.4.1'] }], { ports: [] }),
        sliceOf(
          'governed',
          [{ addresses: ['10.244.5.1'], hostname: 'first' }, { addresses: ['10.244.5.2'] }],
          httpPort,
        ),
      ],
    ),
    pods: new Map([['quiet/lonely', pod('lonely', 'quiet')]]),
  },
  { domain: 'Cluster.Local.', serial: 42 },
)

function text({ name, type, data }: ZoneRecord): string {
  const shown = typeof data === 'object' && 'target' in data ? `${data.port} ${data.target}` : String(data)
  return `${name} ${type} ${shown}`
}

/** The answer as lines: records, or the code and whose SOA says how long. */
function ask(name: string, type: string): string[] {
  const found = answer({ name, type }, zone)
  if (found === undefined) return ['not here']
  const soa = found.authorities.map((record) => `${found.rcode} ${record.name} ${record.type}`)
  const follow = found.follow === undefined ? [] : [`follow ${found.follow}`]
  return [...found.answers.map(text).sort(), ...soa, ...follow]
}

const d = 'default.svc.cluster.local'
const noData = ['NOERROR cluster.local SOA']
const noName = ['NXDOMAIN cluster.local SOA']

const table: Readonly<Record<string, readonly (readonly [name: string, type: string, answer: readonly string[]])[]>> = {
  'a ClusterIP Service': [
    [`web.${d}`, 'A', [`web.${d} A 10.96.0.10`]],
    [`web.${d}`, 'AAAA', [`web.${d} AAAA fd00:10:96::10`]],
    [`web.${d}`, 'ANY', [`web.${d} A 10.96.0.10`, `web.${d} AAAA fd00:10:96::10`]],
    ['web.shop.svc.cluster.local', 'A', ['web.shop.svc.cluster.local A 10.96.1.10']],
    [`single.${d}`, 'AAAA', noData],
    [`six.${d}`, 'A', noData],
    [`six.${d}`, 'AAAA', [`six.${d} AAAA fd00:10:96::6`]],
    [`web.${d}`, 'TXT', noData],
    [`web.${d}`, 'UNKNOWN_65', noData],
    [`pending.${d}`, 'A', noName],
    ['web.nowhere.svc.cluster.local', 'A', noName],
  ],
  'ports of a ClusterIP Service': [
    [`_http._tcp.web.${d}`, 'SRV', [`_http._tcp.web.${d} SRV 80 web.${d}`]],
    [`_dns._udp.web.${d}`, 'SRV', [`_dns._udp.web.${d} SRV 53 web.${d}`]],
    [`_http._udp.web.${d}`, 'SRV', noName],
    [`_http._tcp.web.${d}`, 'A', noData],
    [`_tcp.web.${d}`, 'SRV', noData],
    [`_tcp.single.${d}`, 'SRV', noName],
    [`web.${d}`, 'SRV', noData],
  ],
  'a headless Service': [
    [`set.${d}`, 'A', [`set.${d} A 10.244.1.1`, `set.${d} A 10.244.1.2`, `set.${d} A 10.244.1.4`]],
    [`set.${d}`, 'AAAA', [`set.${d} AAAA fd00:10:244:1::1`, `set.${d} AAAA fd00:10:244::`]],
    [`zero.set.${d}`, 'A', [`zero.set.${d} A 10.244.1.1`]],
    [`zero.set.${d}`, 'AAAA', [`zero.set.${d} AAAA fd00:10:244:1::1`]],
    [`10-244-1-2.set.${d}`, 'A', [`10-244-1-2.set.${d} A 10.244.1.2`]],
    [`fd00-10-244--0.set.${d}`, 'AAAA', [`fd00-10-244--0.set.${d} AAAA fd00:10:244::`]],
    [`10-244-1-3.set.${d}`, 'A', noName],
    [`no.label.set.${d}`, 'A', noName],
    [`10-244-1-4.set.${d}`, 'A', [`10-244-1-4.set.${d} A 10.244.1.4`]],
    [`none.${d}`, 'A', noName],
    [`all.${d}`, 'A', [`all.${d} A 10.244.2.1`]],
    [`portless.${d}`, 'A', [`portless.${d} A 10.244.4.1`]],
    [
      `_http._tcp.set.${d}`,
      'SRV',
      ['10-244-1-2', '10-244-1-4', 'fd00-10-244--0', 'zero'].map(
        (host) => `_http._tcp.set.${d} SRV 8080 ${host}.set.${d}`,
      ),
    ],
    [`_http._tcp.none.${d}`, 'SRV', noName],
  ],
  'endpoints of a ClusterIP Service': [
    [`first.governed.${d}`, 'A', [`first.governed.${d} A 10.244.5.1`]],
    [`10-244-5-2.governed.${d}`, 'A', noName],
    [`governed.${d}`, 'A', [`governed.${d} A 10.96.0.12`]],
  ],
  'reverse names': [
    ['10.0.96.10.in-addr.arpa', 'PTR', [`10.0.96.10.in-addr.arpa PTR web.${d}`]],
    [reverseName('fd00:10:96::10'), 'PTR', [`${reverseName('fd00:10:96::10')} PTR web.${d}`]],
    ['1.1.244.10.in-addr.arpa', 'PTR', [`1.1.244.10.in-addr.arpa PTR zero.set.${d}`]],
    ['2.1.244.10.in-addr.arpa', 'PTR', [`2.1.244.10.in-addr.arpa PTR 10-244-1-2.set.${d}`]],
    ['96.10.in-addr.arpa', 'PTR', ['NOERROR in-addr.arpa SOA']],
    ['3.1.244.10.in-addr.arpa', 'PTR', ['NXDOMAIN in-addr.arpa SOA']],
    ['1.5.244.10.in-addr.arpa', 'PTR', ['NXDOMAIN in-addr.arpa SOA']],
    [reverseName('fd00::1'), 'PTR', ['NXDOMAIN ip6.arpa SOA']],
  ],
  'an ExternalName Service': [
    [`outside.${d}`, 'CNAME', [`outside.${d} CNAME www.example.com`]],
    [`outside.${d}`, 'A', [`outside.${d} CNAME www.example.com`, 'follow www.example.com']],
    [`alias.${d}`, 'A', [`alias.${d} CNAME web.${d}`, `web.${d} A 10.96.0.10`]],
    [`alias.${d}`, 'SRV', [`alias.${d} CNAME web.${d}`, ...noData]],
    [`dangling.${d}`, 'A', [`dangling.${d} CNAME no.${d}`, ...noName]],
    [`circle.${d}`, 'A', [`circle.${d} CNAME circle.${d}`]],
    [`address.${d}`, 'A', noName],
  ],
  'Pods by their addresses': [
    ['10-244-1-9.quiet.pod.cluster.local', 'A', ['10-244-1-9.quiet.pod.cluster.local A 10.244.1.9']],
    ['10-0-0-1.default.pod.cluster.local', 'A', ['10-0-0-1.default.pod.cluster.local A 10.0.0.1']],
    ['fd00--9.quiet.pod.cluster.local', 'AAAA', ['fd00--9.quiet.pod.cluster.local AAAA fd00::9']],
    ['10-0-0-1.default.pod.cluster.local', 'AAAA', noData],
    ['10-0-0-256.default.pod.cluster.local', 'A', noName],
    ['10-0-0-1.nowhere.pod.cluster.local', 'A', noName],
    ['lonely.quiet.pod.cluster.local', 'A', noName],
    ['a.10-0-0-1.default.pod.cluster.local', 'A', noName],
  ],
  'names above names': [
    ['cluster.local', 'A', noData],
    ['svc.cluster.local', 'A', noData],
    ['pod.cluster.local', 'A', noData],
    ['quiet.svc.cluster.local', 'A', noData],
    ['kube-system.pod.cluster.local', 'A', noData],
    ['nowhere.svc.cluster.local', 'A', noName],
    ['dns-version.cluster.local', 'TXT', ['dns-version.cluster.local TXT 1.1.0']],
    ['dns-version.cluster.local', 'A', noData],
    ['*.default.svc.cluster.local', 'A', noName],
    [`any.web.${d}`, 'A', noName],
  ],
  'names of others': [
    ['example.com', 'A', ['not here']],
    ['local', 'A', ['not here']],
    ['mycluster.local', 'A', ['not here']],
    ['.', 'A', ['not here']],
  ],
  'names in any case, with or without the dot at their end': [
    [`WeB.Default.SVC.Cluster.LOCAL`, 'A', ['WeB.Default.SVC.Cluster.LOCAL A 10.96.0.10']],
    [`web.${d}.`, 'A', [`web.${d} A 10.96.0.10`]],
    [`ALIAS.${d}`, 'A', [`ALIAS.${d} CNAME web.${d}`, `web.${d} A 10.96.0.10`]],
    // U+212A folds to k in Unicode, not in DNS.
    [`\u212Aube.${d}`, 'A', noName],
  ],
}

for (const [what, questions] of Object.entries(table))
  describe(`answer() about ${what}`, () => {
    for (const [name, type, expected] of questions)
      test(`${name} ${type}`, () => assert.deepEqual(ask(name, type), expected))
  })

test('answer() adds the addresses of SRV targets', () => {
  const found = answer({ name: `_http._tcp.set.${d}`, type: 'SRV' }, zone)
  assert.deepEqual(found?.additionals.map(text).sort(), [
    `10-244-1-2.set.${d} A 10.244.1.2`,
    `10-244-1-4.set.${d} A 10.244.1.4`,
    `fd00-10-244--0.set.${d} AAAA fd00:10:244::`,
    `zero.set.${d} A 10.244.1.1`,
    `zero.set.${d} AAAA fd00:10:244:1::1`,
  ])
})

test('answer() gives the SOA with the serial, and 5 seconds to remember', () => {
  const [soa] = answer({ name: 'cluster.local', type: 'SOA' }, zone)?.answers ?? []
  assert(soa?.type === 'SOA')
  const { serial, minimum, mname } = soa.data
  assert.deepEqual([serial, minimum, mname, soa.ttl], [42, 5, 'ns.dns.cluster.local', 5])
})

test('addressLabel() and labelAddress() are each other’s inverse', () => {
  for (const address of ['10.0.0.1', '255.255.255.255', 'fd00::1', '::', '::1', 'fe80::', '2001:db8:1:2:3:4:5:6']) {
    const label = addressLabel(address)
    assert.match(label, /^[0-9a-f]([-0-9a-f]*[0-9a-f])?$/)
    assert.equal(labelAddress(label), address)
  }
  for (const label of ['web', '1-2-3', '1-2-3-4-5', '-', '']) assert.equal(labelAddress(label), undefined, label)
})

test('buildZone() leaves out what no message can carry, and nothing else', () => {
  const long = 'x'.repeat(63)
  const objects = objectSet(
    [named('set', headless), named('web')],
    [sliceOf('set', [{ addresses: ['10.244.1.1'], hostname: long }], httpPort)],
  )
  const { names } = buildZone({ objects, pods: new Map() }, { domain: `${long}.${long}.${long}`, serial: 1 })
  assert.ok([...names.keys()].every((name) => name.length <= 253))
  assert.ok(names.has(`web.default.svc.${long}.${long}.${long}`))
})
