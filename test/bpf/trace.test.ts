// SPDX-License-Identifier: Apache-2.0
/** What Services do beyond traffic policies, through the programs: rows by hand, from kube-proxy's rules and maglane's stated differences. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FrontendKind } from '../../src/model/types.ts'
import { skip } from './requires-bpf.ts'
import { expectRows, type Masquerade, type Row } from './trace.expect.ts'
import {
  addressesOf,
  type ClientName,
  clients,
  clusterFlags,
  endpoint,
  manifestFolder,
  nodeIps,
  nodes,
  type PodName,
  pods,
  type Raw,
  type ServiceText,
  service,
} from './trace.world.ts'

const node = ['--node', 'node-a']

/** A client by name, or by its address. */
type From = ClientName | readonly [from: ClientName, address: string]

/** `clusterIP 30`: the HTTP port of Service number 30 by that frontend; `10.0.0.1:80`: as it is. */
function packet(from: From, to: string, proto = 'tcp') {
  const [place, address] = typeof from === 'string' ? [from, undefined] : from
  const [kind, n, family = 'v4'] = to.split(' ')
  const named = n === undefined ? undefined : addressesOf(Number(n))[kind as FrontendKind]
  const port = kind === 'nodePort' ? 30_000 + Number(n) : proto === 'udp' ? 53 : proto === 'sctp' ? 3868 : 80
  const dst = named === undefined ? to : endpoint(named[family as 'v4' | 'v6'], port)
  const src = address ?? clients[place][dst.startsWith('[') ? 'v6' : 'v4']
  return { src, dst, proto, from: place }
}

function passes(name: string, from: From, to: string, proto?: string): Row {
  return { name, packet: packet(from, to, proto), verdict: 'pass', code: 'PASS_NOT_SERVICE' }
}

function refuses(name: string, from: From, to: string, proto?: string): Row {
  return { name, packet: packet(from, to, proto), verdict: 'reject', code: 'REJECT_UNKNOWN_PORT' }
}

/** Port http of a Service in the default namespace, unless `more` says otherwise. */
function forwards(
  service: string,
  from: From,
  to: string,
  candidates: readonly PodName[],
  more: Partial<Row> = {},
): Row {
  const [kind] = to.split(' ')
  const place = typeof from === 'string' ? from : from[0]
  const masquerade: Masquerade = { pod: 'self', host: 'never', external: 'remote' }[place] as Masquerade
  return {
    ...{ name: service, packet: packet(from, to), verdict: 'forward', code: 'FORWARD_NEW', masquerade, candidates },
    ...{ service: `default/${service}:http`, frontend: kind as FrontendKind },
    ...more,
  }
}

/** As `forwards`, where nobody answers. */
function ends(service: string, from: From, to: string, verdict: 'reject' | 'drop', code: string): Row {
  return { ...forwards(service, from, to, []), verdict, code }
}

const ready = (pod: PodName) => ({ pod, conditions: { ready: true } })
const terminating = (pod: PodName, serving = true) => ({
  pod,
  conditions: { ready: false, serving, terminating: true },
})
const unready = (pod: PodName) => ({ pod, conditions: { ready: false } })
const forNodes = (pod: PodName, ...names: string[]) => ({ pod, hints: { forNodes: names.map((name) => ({ name })) } })
const forZones = (pod: PodName, ...names: string[]) => ({ pod, hints: { forZones: names.map((name) => ({ name })) } })

const local = { externalTrafficPolicy: 'Local' }

const services: readonly ServiceText[] = [
  // Which endpoints serve.
  { name: 'no-conditions', n: 30, endpoints: [{ pod: 'a1', conditions: {} }, 'b1'] },
  { name: 'one-unready', n: 31, endpoints: [unready('a1'), ready('b1')] },
  { name: 'fallback', n: 32, endpoints: [terminating('a1'), terminating('b1'), unready('b2')] },
  { name: 'fallback-here', n: 33, endpoints: [terminating('a1'), ready('b1')], spec: local },
  { name: 'no-longer-serving', n: 34, endpoints: [terminating('a1', false), unready('b1')] },
  { name: 'ready-wins', n: 35, endpoints: [terminating('a1'), ready('a2'), ready('b1')], spec: local },
  // Topology.
  { name: 'node-hints', n: 40, endpoints: [forNodes('a1', 'node-a'), forNodes('b1', 'node-b')] },
  { name: 'zone-hints', n: 41, endpoints: [forZones('a1', 'zone-2'), forZones('b1', 'zone-1', 'zone-2')] },
  { name: 'half-hints', n: 42, endpoints: [forZones('a1', 'zone-1'), 'b1'] },
  { name: 'foreign-hints', n: 43, endpoints: [forZones('a1', 'zone-2'), forZones('b1', 'zone-3')] },
  { name: 'hints-local', n: 44, endpoints: [forZones('a1', 'zone-2'), forZones('b1', 'zone-1')], spec: local },
  {
    name: 'unready-hint',
    n: 45,
    endpoints: [forZones('a1', 'zone-1'), forZones('b1', 'zone-2'), unready('b2')],
  },
  // Source ranges.
  {
    name: 'ranges',
    n: 50,
    endpoints: ['a1', 'b1'],
    spec: { loadBalancerSourceRanges: [' 198.051.100.0/28 ', '10.244.1.64/26', '2001:db8:100::/64'] },
  },
  {
    name: 'ranges-node',
    n: 51,
    endpoints: ['a1'],
    spec: { loadBalancerSourceRanges: ['172.18.0.0/24'] },
  },
  { name: 'ranges-empty', n: 52, endpoints: [], spec: { loadBalancerSourceRanges: ['198.51.100.0/24'] } },
  // Which addresses are intercepted.
  {
    name: 'proxy-mode',
    n: 60,
    endpoints: ['a1'],
    status: {
      loadBalancer: {
        ingress: [
          { ip: addressesOf(60).loadBalancerIP.v4, ipMode: 'Proxy' },
          { ip: '203.0.113.161', ipMode: 'VIP' },
        ],
      },
    },
  },
  {
    name: 'pending',
    n: 61,
    endpoints: ['a1'],
    spec: { loadBalancerIP: addressesOf(61).loadBalancerIP.v4 },
    status: {},
  },
  {
    name: 'another-proxy',
    n: 62,
    endpoints: ['a1'],
    metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } },
  },
  { name: 'headless-slice', n: 63, endpoints: ['a1'], sliceLabels: { 'service.kubernetes.io/headless': '' } },
  {
    name: 'one-family',
    n: 64,
    endpoints: ['a1'],
    spec: { clusterIPs: [addressesOf(64).clusterIP.v4], externalIPs: [addressesOf(64).externalIP.v6] },
  },
  // Contested: the older keeps what both want, the younger keeps the rest.
  {
    name: 'younger',
    n: 70,
    endpoints: ['a1'],
    metadata: { creationTimestamp: '2026-01-02T00:00:00Z' },
    spec: { externalIPs: ['198.18.1.1', addressesOf(70).externalIP.v4] },
  },
  {
    name: 'older',
    n: 71,
    endpoints: ['b1'],
    metadata: { creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { externalIPs: ['198.18.1.1'] },
  },
  // Affinity.
  { name: 'sticky', n: 80, endpoints: ['a1', 'a2', 'b1', 'b2'], spec: { sessionAffinity: 'ClientIP' } },
  {
    name: 'sticky-local',
    n: 81,
    endpoints: ['a1', 'a2', 'b1'],
    spec: { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } }, ...local },
  },
  // Ports.
  {
    name: 'by-name',
    n: 90,
    endpoints: ['a1', 'b1'],
    ports: [
      { name: 'http', port: 80, targetPort: 9999 },
      { name: 'admin', port: 81, nodePort: 30_190 },
      { name: 'lost', port: 82, nodePort: 30_290 },
    ],
    slicePorts: [
      { name: 'admin', port: 80 },
      { name: 'http', port: 8080 },
      { name: 'lost', port: null },
    ],
  },
  { name: 'protocol', n: 91, endpoints: ['a1'], slicePorts: [{ name: 'http', port: 8080, protocol: 'UDP' }] },
  {
    name: 'sctp-ports',
    n: 92,
    endpoints: ['a1'],
    ports: [{ name: 'http', port: 3868, protocol: 'SCTP' }],
    slicePorts: [{ name: 'http', port: 3869, protocol: 'SCTP' }],
  },
  // A client that is a backend.
  { name: 'hairpin', n: 95, endpoints: ['a1', 'a2'] },
  { name: 'plain', n: 96, endpoints: ['a1', 'b1'] },
]

const [a1] = [pods.a1]
const { first, second, other, v6 } = nodeIps
const outOfRange: From = ['external', '198.51.100.99']

const rows: readonly Row[] = [
  forwards('no-conditions', 'pod', 'clusterIP 30', ['a1', 'b1']),
  forwards('one-unready', 'host', 'clusterIP 31', ['b1']),
  forwards('fallback', 'pod', 'clusterIP 32', ['a1', 'b1']),
  forwards('fallback', 'external', 'nodePort 32 v6', ['a1', 'b1']),
  forwards('fallback-here', 'external', 'nodePort 33', ['a1']),
  forwards('fallback-here', 'pod', 'nodePort 33', ['b1']),
  forwards('fallback-here', 'pod', 'clusterIP 33', ['b1']),
  ends('no-longer-serving', 'pod', 'clusterIP 34', 'reject', 'REJECT_NO_ENDPOINT'),
  ends('no-longer-serving', 'external', 'externalIP 34', 'reject', 'REJECT_NO_ENDPOINT'),
  forwards('ready-wins', 'external', 'loadBalancerIP 35', ['a2']),
  forwards('ready-wins', 'host', 'loadBalancerIP 35', ['a2', 'b1']),

  forwards('node-hints', 'pod', 'clusterIP 40', ['a1']),
  forwards('node-hints', 'external', 'nodePort 40', ['a1']),
  forwards('zone-hints', 'pod', 'clusterIP 41', ['b1']),
  forwards('half-hints', 'pod', 'clusterIP 42', ['a1', 'b1']),
  forwards('foreign-hints', 'pod', 'clusterIP 43', ['a1', 'b1']),
  forwards('hints-local', 'external', 'externalIP 44', ['a1']),
  forwards('hints-local', 'pod', 'externalIP 44', ['b1']),
  forwards('unready-hint', 'pod', 'clusterIP 45', ['a1']),

  forwards('ranges', ['external', '198.51.100.1'], 'loadBalancerIP 50', ['a1', 'b1']),
  ends('ranges', outOfRange, 'loadBalancerIP 50', 'drop', 'DROP_SOURCE_RANGE'),
  forwards('ranges', ['pod', '10.244.1.99'], 'loadBalancerIP 50', ['a1', 'b1']),
  ends('ranges', ['pod', '10.244.1.20'], 'loadBalancerIP 50', 'drop', 'DROP_SOURCE_RANGE'),
  ends('ranges', 'host', 'loadBalancerIP 50', 'drop', 'DROP_SOURCE_RANGE'),
  forwards('ranges', 'external', 'loadBalancerIP 50 v6', ['a1', 'b1']),
  ends('ranges', 'host', 'loadBalancerIP 50 v6', 'drop', 'DROP_SOURCE_RANGE'),
  forwards('ranges', outOfRange, 'nodePort 50', ['a1', 'b1']),
  forwards('ranges', outOfRange, 'clusterIP 50', ['a1', 'b1']),
  forwards('ranges', outOfRange, 'externalIP 50', ['a1', 'b1']),
  forwards('ranges-node', 'host', 'loadBalancerIP 51', ['a1']),
  forwards('ranges-node', ['host', addressesOf(51).loadBalancerIP.v4], 'loadBalancerIP 51', ['a1'], {
    masquerade: 'always',
  }),
  // Ranges of one family leave the other open.
  forwards('ranges-node', 'external', 'loadBalancerIP 51 v6', ['a1']),
  // As kube-proxy's nftables mode: the firewall comes before the refusal.
  ends('ranges-empty', 'external', 'loadBalancerIP 52', 'reject', 'REJECT_NO_ENDPOINT'),
  ends('ranges-empty', 'pod', 'loadBalancerIP 52', 'drop', 'DROP_SOURCE_RANGE'),

  passes('ipMode Proxy', 'pod', 'loadBalancerIP 60'),
  forwards('proxy-mode', 'pod', '203.0.113.161:80', ['a1'], { frontend: 'loadBalancerIP' }),
  forwards('proxy-mode', 'external', 'nodePort 60', ['a1']),
  passes('spec.loadBalancerIP is not used', 'external', 'loadBalancerIP 61'),
  forwards('pending', 'external', 'nodePort 61', ['a1']),
  passes('service-proxy-name', 'pod', 'clusterIP 62'),
  passes('service-proxy-name', 'external', 'nodePort 62'),
  ends('headless-slice', 'pod', 'clusterIP 63', 'reject', 'REJECT_NO_ENDPOINT'),
  forwards('one-family', 'pod', 'clusterIP 64', ['a1']),
  passes('no address in the other family', 'pod', 'clusterIP 64 v6'),
  passes('no ClusterIP in the family of the externalIP', 'pod', 'externalIP 64 v6'),
  passes('no NodePort in the other family', 'external', 'nodePort 64 v6'),

  forwards('older', 'pod', '198.18.1.1:80', ['b1'], { frontend: 'externalIP' }),
  forwards('older', 'external', '198.18.1.1:53', ['b1'], {
    ...{ frontend: 'externalIP', service: 'default/older:dns', port: 5353 },
    packet: packet('external', '198.18.1.1:53', 'udp'),
  }),
  forwards('younger', 'pod', 'externalIP 70', ['a1']),
  forwards('younger', 'pod', 'clusterIP 70', ['a1']),

  ...(['clusterIP 80', 'nodePort 80', 'externalIP 80 v6', 'loadBalancerIP 80'] as const).map((to) =>
    forwards('sticky', 'external', to, ['a1', 'a2', 'b1', 'b2'], { sticky: true }),
  ),
  forwards('sticky-local', 'external', 'nodePort 81', ['a1', 'a2'], { sticky: true }),
  forwards('sticky-local', 'pod', 'nodePort 81', ['a1', 'a2', 'b1'], { sticky: true }),

  forwards('by-name', 'pod', 'clusterIP 90', ['a1', 'b1']),
  forwards('by-name', 'pod', '10.96.1.90:81', ['a1', 'b1'], {
    ...{ service: 'default/by-name:admin', frontend: 'clusterIP', port: 80 },
  }),
  forwards('by-name', 'external', `${first}:30190`, ['a1', 'b1'], {
    ...{ service: 'default/by-name:admin', frontend: 'nodePort', port: 80 },
  }),
  {
    ...ends('by-name', 'pod', '10.96.1.90:82', 'reject', 'REJECT_NO_ENDPOINT'),
    ...{ service: 'default/by-name:lost', frontend: 'clusterIP' },
  },
  ends('protocol', 'pod', 'clusterIP 91', 'reject', 'REJECT_NO_ENDPOINT'),
  {
    ...forwards('sctp-ports', 'pod', 'clusterIP 92', ['a1'], { port: 3869 }),
    packet: packet('pod', 'clusterIP 92', 'sctp'),
  },

  refuses('an unknown port', 'pod', '10.96.1.96:81'),
  refuses('an unknown port', 'external', '10.96.1.96:81'),
  refuses('an unknown port', 'host', '[fd00:10:96::96]:81', 'udp'),
  refuses('a port of another protocol', 'pod', '10.96.1.96:80', 'udp'),
  passes('an unknown port of a load balancer address', 'external', '203.0.113.96:81'),
  passes('an unknown port of an external IP', 'pod', '198.18.0.96:81'),
  passes('no NodePort', 'external', `${first}:31999`),
  passes("another node's NodePort", 'pod', `${other}:30096`),
  passes('a pod', 'pod', `${pods.b1.v4}:8080`),
  passes('a pod', 'host', `[${a1.v6}]:8080`),
  passes('the node itself', 'external', `${first}:22`),
  passes('anywhere', 'pod', '192.0.2.1:443'),

  forwards('plain', 'external', `${second}:30096`, ['a1', 'b1'], { frontend: 'nodePort' }),
  forwards('plain', 'host', '127.0.0.1:30096', ['a1', 'b1'], { frontend: 'nodePort' }),
  forwards('plain', ['host', '127.0.0.1'], '127.0.0.1:30096', ['a1', 'b1'], {
    ...{ frontend: 'nodePort', masquerade: 'always' },
  }),
  passes('loopback NodePort from a pod', 'pod', '127.0.0.1:30096'),
  passes('loopback NodePort from outside', 'external', '127.0.0.1:30096'),
  passes('NodePort on ::1', ['host', '::1'], '[::1]:30096'),

  forwards('hairpin', ['pod', a1.v4], 'clusterIP 95', ['a1', 'a2']),
  forwards('hairpin', ['pod', a1.v6], 'nodePort 95 v6', ['a1', 'a2']),
  // A pod of the other node comes in from outside; its address is the cluster's.
  forwards('plain', ['external', '10.244.2.99'], 'nodePort 96', ['a1', 'b1']),
  forwards('fallback-here', ['external', '10.244.2.99'], 'nodePort 33', ['b1']),
]

test('trace answers what serves, where, for whom and by which port', { skip }, async (context) => {
  const folder = manifestFolder(context, [...nodes, ...services.flatMap(service)])
  await expectRows(['-m', folder, ...node, ...clusterFlags], rows)
})

const few: readonly ServiceText[] = [
  { name: 'plain', n: 96, endpoints: ['a1', 'b1'] },
  { name: 'local', n: 97, endpoints: ['a1', 'b1'], spec: local },
  { name: 'all-here', n: 98, endpoints: ['a1', 'a2'], spec: local },
  { name: 'inside', n: 99, endpoints: ['a1', 'b1'], spec: { internalTrafficPolicy: 'Local' } },
]

interface Case {
  readonly name: string
  readonly flags?: readonly string[]
  /** KubeProxyConfiguration. */
  readonly config?: string
  readonly objects?: readonly Raw[]
  readonly rows: readonly Row[]
}

const apiVersion = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'

const always = { masquerade: 'always' } as const

const cases: readonly Case[] = [
  {
    name: 'without a detector pods get what clients outside get, and the node still short-circuits',
    rows: [
      forwards('local', 'pod', 'nodePort 97', ['a1']),
      forwards('local', 'host', 'nodePort 97', ['a1', 'b1']),
      forwards('local', 'pod', 'clusterIP 97', ['a1', 'b1']),
      forwards('local', 'external', 'nodePort 97', ['a1']),
    ],
  },
  {
    name: 'masqueradeAll replaces clients but where policy Local keeps them',
    flags: [...clusterFlags, '--masquerade-all'],
    rows: [
      forwards('plain', 'pod', 'clusterIP 96', ['a1', 'b1'], always),
      forwards('plain', 'external', 'clusterIP 96 v6', ['a1', 'b1'], always),
      forwards('plain', 'external', 'nodePort 96', ['a1', 'b1'], always),
      forwards('plain', 'host', 'clusterIP 96', ['a1', 'b1']),
      forwards('inside', 'pod', 'clusterIP 99', ['a1'], always),
      forwards('local', 'external', 'nodePort 97', ['a1']),
      forwards('local', 'pod', 'nodePort 97', ['a1', 'b1']),
      // The same, where both policies come to the same backends.
      forwards('all-here', 'external', 'nodePort 98', ['a1', 'a2']),
      forwards('all-here', 'pod', 'nodePort 98', ['a1', 'a2']),
    ],
  },
  {
    name: 'masqueradeAll from a file',
    config: `${apiVersion}clusterCIDR: 10.244.0.0/16\nmode: nftables\nnftables: { masqueradeAll: true }\n`,
    rows: [
      forwards('plain', 'pod', 'clusterIP 96', ['a1', 'b1'], always),
      // nftables mode: NodePorts on the primary addresses alone, none on loopback.
      forwards('plain', 'external', 'nodePort 96', ['a1', 'b1'], always),
      passes('not primary', 'external', `${second}:30096`),
      passes('loopback', 'host', '127.0.0.1:30096'),
    ],
  },
  {
    name: 'nodeport-addresses restrict the family that they name',
    flags: [...clusterFlags, '--nodeport-addresses', '10.0.0.0/8'],
    rows: [
      passes('not in the range', 'external', `${first}:30096`),
      forwards('plain', 'external', `${second}:30096`, ['a1', 'b1'], { frontend: 'nodePort' }),
      passes('loopback is not in the range', 'host', '127.0.0.1:30096'),
      forwards('plain', 'external', `[${v6}]:30096`, ['a1', 'b1'], { frontend: 'nodePort' }),
    ],
  },
  {
    name: 'localhost-nodeports can be turned off',
    flags: [...clusterFlags, '--localhost-nodeports=false'],
    rows: [passes('loopback', 'host', '127.0.0.1:30096'), forwards('plain', 'host', 'nodePort 96', ['a1', 'b1'])],
  },
  {
    name: 'node-ip stands in place of the addresses of the Node',
    flags: [...clusterFlags, '--node-ip', '192.0.2.7', '--node-ip', '2001:db8:7::7'],
    rows: [
      passes('not given', 'external', `${first}:30096`),
      forwards('plain', 'external', '192.0.2.7:30096', ['a1', 'b1'], { frontend: 'nodePort' }),
      forwards('plain', 'external', '[2001:db8:7::7]:30096', ['a1', 'b1'], { frontend: 'nodePort' }),
    ],
  },
  {
    name: 'NodeCIDR detects the pods of this node alone',
    config: `${apiVersion}detectLocalMode: NodeCIDR\n`,
    rows: [
      forwards('local', 'pod', 'nodePort 97', ['a1', 'b1']),
      forwards('local', 'pod', 'nodePort 97 v6', ['a1', 'b1']),
      forwards('local', ['external', '10.244.2.99'], 'nodePort 97', ['a1']),
    ],
  },
  {
    name: 'BridgeInterface detects by the device, whatever the address',
    config: `${apiVersion}detectLocalMode: BridgeInterface\ndetectLocal: { bridgeInterface: cni0 }\n`,
    rows: [
      forwards('local', ['pod', '192.0.2.9'], 'nodePort 97', ['a1', 'b1']),
      forwards('local', ['external', '10.244.1.99'], 'nodePort 97', ['a1']),
      forwards('local', 'host', 'nodePort 97', ['a1', 'b1']),
    ],
  },
  {
    name: 'InterfaceNamePrefix does too',
    flags: ['--detect-local-mode', 'InterfaceNamePrefix', '--pod-interface-name-prefix', 'cali'],
    rows: [
      forwards('local', ['pod', '192.0.2.9'], 'nodePort 97', ['a1', 'b1']),
      forwards('local', ['external', '10.244.1.99'], 'nodePort 97', ['a1']),
    ],
  },
  {
    name: 'a ServiceCIDR drops what no Service holds',
    flags: clusterFlags,
    objects: [
      {
        ...{ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' } },
        spec: { cidrs: ['10.96.0.0/16', 'fd00:10:96::/112'] },
      },
    ],
    rows: [
      { name: 'nobody', packet: packet('pod', '10.96.200.1:80'), verdict: 'drop', code: 'DROP_SERVICE_CIDR' },
      { name: 'nobody', packet: packet('external', '[fd00:10:96::ff]:80'), verdict: 'drop', code: 'DROP_SERVICE_CIDR' },
      refuses('an unknown port', 'pod', '10.96.1.96:81'),
      forwards('plain', 'pod', 'clusterIP 96', ['a1', 'b1']),
      passes('outside of it', 'pod', '10.97.0.1:80'),
    ],
  },
  {
    name: 'the other node has its own local endpoints',
    flags: [...clusterFlags, '--hostname-override', 'node-b', '--node', 'node-b'],
    rows: [
      forwards('local', 'external', `${other}:30097`, ['b1'], { frontend: 'nodePort', masquerade: 'never' }),
      {
        ...ends('all-here', 'external', `${other}:30098`, 'drop', 'DROP_NO_LOCAL_ENDPOINT'),
        frontend: 'nodePort',
      },
      forwards('all-here', ['pod', '10.244.2.99'], `${other}:30098`, ['a1', 'a2'], { frontend: 'nodePort' }),
    ],
  },
]

for (const { name, flags = [], config, objects = [], rows } of cases) {
  test(`trace: ${name}`, { skip }, async (context) => {
    const folder = manifestFolder(context, [...nodes, ...few.flatMap(service), ...objects])
    const file = join(folder, 'kube-proxy.conf')
    if (config !== undefined) writeFileSync(file, config)
    const words = ['-m', folder, ...node, ...(config === undefined ? [] : ['--config', file]), ...flags]
    await expectRows(words, rows)
  })
}
