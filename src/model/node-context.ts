// SPDX-License-Identifier: Apache-2.0
/** What is local to a node: its addresses, those that NodePorts answer on, its zone. */
import { type Cidr, canonicalAddress, cidrContains, familyOf, isLoopback, parseCidr } from './ip.ts'
import type { IpFamily, Node, NodeContext } from './types.ts'

export const ZONE_LABEL = 'topology.kubernetes.io/zone'

/** The words that nodePortAddresses takes beside CIDRs. */
export const NODE_PORT_KEYWORDS = ['primary', 'all', 'localhost'] as const

export interface NodeContextInput {
  readonly nodeName: string
  /** The Node object, where one is known: zone, and addresses where `addresses` is empty. */
  readonly node?: Node | undefined
  /** Addresses of the node's interfaces, or --node-ip; loopback ones are left out. */
  readonly addresses: readonly string[]
  /** CIDRs and {@link NODE_PORT_KEYWORDS}; empty: all addresses. */
  readonly nodePortAddresses: readonly string[]
  /** localhostNodePorts as configured; it counts where nodePortAddresses hold 127.0.0.0/8. */
  readonly localhostNodePorts: boolean
}

/** An entry of nodePortAddresses or an address that cannot be read throws a TypeError that names it. */
export function nodeContext(input: NodeContextInput): NodeContext {
  const given = input.addresses.length > 0 ? input.addresses : nodeObjectAddresses(input.node)
  const addresses = [...new Set(given.map(readAddress))].filter((address) => !isLoopback(address))
  const primaryAddresses = primaries(input.node, addresses)
  const ranges = nodePortRanges(input.nodePortAddresses, primaryAddresses)
  const zone = input.node?.metadata.labels?.[ZONE_LABEL]
  return {
    nodeName: input.nodeName,
    nodePortAddresses: addresses.filter((address) => isNodePortAddress(ranges, address)),
    nodeAddresses: addresses,
    primaryAddresses,
    ...(zone ? { zone } : {}),
    localhostNodePorts: input.localhostNodePorts && isNodePortAddress(ranges, '127.0.0.1'),
  }
}

/** Addresses of a Node object that can be its own: internal ones first, as kube-proxy prefers them. */
export function nodeObjectAddresses(node: Node | undefined): string[] {
  const ofType = (type: string) => (node?.status.addresses ?? []).filter((entry) => entry.type === type)
  return [...ofType('InternalIP'), ...ofType('ExternalIP')].map((entry) => entry.address)
}

/**
 * Reads nodePortAddresses. CIDRs of one family do not restrict the other: a family without any takes all.
 *
 * @param primaryAddresses What `primary` stands for.
 */
export function nodePortRanges(
  entries: readonly string[],
  primaryAddresses: readonly string[],
): Readonly<Record<IpFamily, readonly Cidr[]>> {
  const texts = entries.flatMap((entry) => expand(entry.trim(), primaryAddresses))
  const cidrs = texts.map((text) => {
    const cidr = parseCidr(text)
    if (!cidr)
      throw new TypeError(
        `nodePortAddresses: expected a CIDR or one of ${NODE_PORT_KEYWORDS.join(', ')}, got '${text}'`,
      )
    return cidr
  })
  return {
    IPv4: cidrs.filter((cidr) => cidr.family === 'IPv4'),
    IPv6: cidrs.filter((cidr) => cidr.family === 'IPv6'),
  }
}

function isNodePortAddress(ranges: Readonly<Record<IpFamily, readonly Cidr[]>>, address: string): boolean {
  const own = ranges[familyOf(address)]
  return own.length === 0 || own.some((cidr) => cidrContains(cidr, address))
}

function expand(entry: string, primaryAddresses: readonly string[]): string[] {
  if (entry === 'all') return ['0.0.0.0/0', '::/0']
  if (entry === 'localhost') return ['127.0.0.0/8', '::1/128']
  if (entry === 'primary')
    return primaryAddresses.map((address) => `${address}/${familyOf(address) === 'IPv4' ? 32 : 128}`)
  return [entry]
}

/** The first of each family: of the Node object where this node has that address, else of the node's addresses. */
function primaries(node: Node | undefined, addresses: readonly string[]): string[] {
  const preferred = [...nodeObjectAddresses(node).filter((address) => addresses.includes(address)), ...addresses]
  const first = (family: IpFamily) => preferred.find((address) => familyOf(address) === family)
  return [first('IPv4'), first('IPv6')].filter((address) => address !== undefined)
}

function readAddress(text: string): string {
  const address = canonicalAddress(text)
  if (address === undefined) throw new TypeError(`Node address: expected an IP address, got '${text}'`)
  return address
}
