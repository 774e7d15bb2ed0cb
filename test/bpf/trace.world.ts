// SPDX-License-Identifier: Apache-2.0
/** Clusters for tests of `maglane trace`, and packets asked about in them. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Io } from '../../src/cli/command.ts'
import { main } from '../../src/cli/main.ts'
import type { TraceAnswer } from '../../src/trace/trace-answer.ts'

export type Raw = Readonly<Record<string, unknown>>

/** This node is node-a; another is node-b. */
export const nodeIps = { first: '172.18.0.11', second: '10.0.0.11', v6: 'fd00:172:18::11', other: '172.18.0.12' }

/** Pods that serve, in both families. */
export const pods = {
  a1: { v4: '10.244.1.10', v6: 'fd00:10:244:1::10', node: 'node-a' },
  a2: { v4: '10.244.1.11', v6: 'fd00:10:244:1::11', node: 'node-a' },
  b1: { v4: '10.244.2.10', v6: 'fd00:10:244:2::10', node: 'node-b' },
  b2: { v4: '10.244.2.11', v6: 'fd00:10:244:2::11', node: 'node-b' },
} as const
export type PodName = keyof typeof pods

export const clusterFlags = ['--cluster-cidr', '10.244.0.0/16,fd00:10:244::/48']

export const clients = {
  pod: { v4: '10.244.1.99', v6: 'fd00:10:244:1::99' },
  host: { v4: nodeIps.first, v6: nodeIps.v6 },
  external: { v4: '198.51.100.10', v6: '2001:db8:100::10' },
} as const
export type ClientName = keyof typeof clients

export const nodes: readonly Raw[] = [
  nodeObject('node-a', 'zone-1', [nodeIps.first, nodeIps.second, nodeIps.v6], ['10.244.1.0/24', 'fd00:10:244:1::/64']),
  nodeObject('node-b', 'zone-2', [nodeIps.other], ['10.244.2.0/24', 'fd00:10:244:2::/64']),
]

function nodeObject(name: string, zone: string, addresses: readonly string[], podCIDRs: readonly string[]): Raw {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'topology.kubernetes.io/zone': zone } },
    spec: { podCIDRs },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  }
}

/** Endpoint of a slice: `b1` ready, or with conditions, hints. */
export interface EndpointText {
  readonly pod: PodName
  readonly conditions?: Raw
  readonly hints?: Raw
}

export interface ServiceText {
  readonly name: string
  /** Number that its addresses end in: see {@link addressesOf}. */
  readonly n: number
  readonly endpoints: readonly (PodName | EndpointText)[]
  readonly spec?: Raw
  readonly metadata?: Raw
  readonly status?: Raw
  /** Default: TCP 80 → 8080, UDP 53 → 5353, SCTP 3868 → 3868. */
  readonly ports?: readonly Raw[]
  /** What the slices say of ports; by default the same names with those numbers. */
  readonly slicePorts?: readonly Raw[]
  readonly sliceLabels?: Raw
}

/** Where the Service number n can be called. */
export function addressesOf(n: number) {
  return {
    clusterIP: { v4: `10.96.1.${n}`, v6: `fd00:10:96::${n}` },
    loadBalancerIP: { v4: `203.0.113.${n}`, v6: `2001:db8:203::${n}` },
    externalIP: { v4: `198.18.0.${n}`, v6: `2001:db8:18::${n}` },
    nodePort: { v4: nodeIps.first, v6: nodeIps.v6 },
  }
}

const ports: readonly Raw[] = [
  { name: 'http', port: 80 },
  { name: 'dns', port: 53, protocol: 'UDP' },
  { name: 'diameter', port: 3868, protocol: 'SCTP' },
]
const slicePorts: readonly Raw[] = [
  { name: 'http', port: 8080 },
  { name: 'dns', port: 5353, protocol: 'UDP' },
  { name: 'diameter', port: 3868, protocol: 'SCTP' },
]

/** A dual-stack Service of every kind at once, and a slice a family. The NodePort is 30000 + n for each protocol. */
export function service(text: ServiceText): Raw[] {
  const { name, n, endpoints, spec, metadata, status } = text
  const { clusterIP, loadBalancerIP, externalIP } = addressesOf(n)
  const own = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, ...metadata },
    spec: {
      type: 'LoadBalancer',
      clusterIPs: [clusterIP.v4, clusterIP.v6],
      externalIPs: [externalIP.v4, externalIP.v6],
      ports: (text.ports ?? ports).map((port) => ({ nodePort: 30_000 + n, ...port })),
      ...spec,
    },
    status: status ?? { loadBalancer: { ingress: [{ ip: loadBalancerIP.v4 }, { ip: loadBalancerIP.v6 }] } },
  }
  const slice = (family: 'v4' | 'v6'): Raw => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${family}`,
      namespace: (metadata?.namespace as string | undefined) ?? 'default',
      labels: { 'kubernetes.io/service-name': name, ...text.sliceLabels },
    },
    addressType: family === 'v4' ? 'IPv4' : 'IPv6',
    ports: text.slicePorts ?? slicePorts,
    endpoints: endpoints.map((each) => {
      const { pod, ...rest } = typeof each === 'string' ? { pod: each } : each
      return { addresses: [pods[pod][family]], nodeName: pods[pod].node, ...rest }
    }),
  })
  return [own, slice('v4'), slice('v6')]
}

/** Writes objects to a folder that goes after the test. @returns the folder. */
export function manifestFolder(context: Pick<TestContext, 'after'>, objects: readonly Raw[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'maglane-trace-'))
  context.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'world.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
  return folder
}

export interface Run {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs `maglane trace` in this process. */
export async function trace(
  words: readonly string[],
  stdin: AsyncIterable<string | Uint8Array> = textOf(''),
  onStdout: (text: string) => void = () => {},
): Promise<Run> {
  let stdout = ''
  let stderr = ''
  const io: Io = {
    stdin,
    stdout: (text) => {
      stdout += text
      onStdout(text)
    },
    stderr: (text) => {
      stderr += text
    },
    env: {},
    signal: new AbortController().signal,
    terminal: false,
  }
  const status = await main(['trace', ...words], io)
  return { status, stdout, stderr }
}

async function* textOf(text: string): AsyncGenerator<string> {
  yield text
}

export interface PacketLine {
  readonly src: string
  readonly dst: string
  readonly proto?: string
  readonly from?: string
}

/** Asks about packets, the programs loaded once. */
export async function traceAll(words: readonly string[], packets: readonly PacketLine[]): Promise<TraceAnswer[]> {
  const lines = packets.map((packet) => `${JSON.stringify(packet)}\n`).join('')
  const { status, stdout, stderr } = await trace([...words, '--packets', '-', '-o', 'json'], textOf(lines))
  assert.equal(status, 0, stderr)
  const answers = stdout.split('\n').slice(0, -1)
  assert.equal(answers.length, packets.length)
  return answers.map((line) => JSON.parse(line) as TraceAnswer)
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export function endpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
