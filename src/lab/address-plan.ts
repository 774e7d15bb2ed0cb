// SPDX-License-Identifier: Apache-2.0
/**
 * Which addresses a lab uses. Every lab uses the same ones: they exist inside its own network namespaces only, so labs
 * side by side do not meet.
 */

/** One address of each family. */
export interface AddressPair {
  readonly ipv4: string
  readonly ipv6: string
}

/** CIDRs, prefix length included. */
export type CidrPair = AddressPair

/** All pods of the cluster: the agents' cluster CIDR. */
export const clusterCidr: CidrPair = { ipv4: '10.244.0.0/16', ipv6: 'fd00:10:244::/48' }

/** ClusterIPs: the manifest source's defaults. */
export const serviceCidr: CidrPair = { ipv4: '10.96.0.0/16', ipv6: 'fd00:10:96::/112' }

/** The ClusterIPs of the DNS Service. */
export const dnsAddress: AddressPair = { ipv4: '10.96.0.10', ipv6: 'fd00:10:96::a' }

/** The nodes' network; the fabric is its router. */
export const nodeNetwork: CidrPair = { ipv4: '172.18.0.0/24', ipv6: 'fd00:172:18::/64' }
export const nodeGateway: AddressPair = { ipv4: '172.18.0.1', ipv6: 'fd00:172:18::1' }

/** The API server, where a lab has one. */
export const controlPlaneAddress: AddressPair = { ipv4: '172.18.0.2', ipv6: 'fd00:172:18::2' }

/** The network behind the fabric (RFC 5737, RFC 3849). */
export const outsideNetwork: CidrPair = { ipv4: '198.51.100.0/24', ipv6: '2001:db8:100::/64' }
export const outsideGateway: AddressPair = { ipv4: '198.51.100.1', ipv6: '2001:db8:100::1' }
export const outsideClient: AddressPair = { ipv4: '198.51.100.10', ipv6: '2001:db8:100::10' }
/** A second client on the same machine outside: another source address. */
export const outsideClient2: AddressPair = { ipv4: '198.51.100.11', ipv6: '2001:db8:100::11' }

/** External and LoadBalancer addresses that the fabric routes to the node of this index (RFC 5737, RFC 3849). */
export function externalCidr(nodeIndex: number): CidrPair {
  return { ipv4: `203.0.113.${nodeIndex * 64}/26`, ipv6: `2001:db8:203:${nodeIndex + 1}::/64` }
}

/** The nth (from 0) address of {@link externalCidr}. */
export function externalAddress(nodeIndex: number, n: number): AddressPair {
  return { ipv4: `203.0.113.${nodeIndex * 64 + 1 + n}`, ipv6: `2001:db8:203:${nodeIndex + 1}::${(1 + n).toString(16)}` }
}

export function nodeAddress(nodeIndex: number): AddressPair {
  return { ipv4: `172.18.0.${11 + nodeIndex}`, ipv6: `fd00:172:18::${11 + nodeIndex}` }
}

/** The node's share of the cluster CIDR. */
export function podCidr(nodeIndex: number): CidrPair {
  return { ipv4: `10.244.${nodeIndex + 1}.0/24`, ipv6: `fd00:10:244:${nodeIndex + 1}::/64` }
}

/** The node's own address in its pod CIDR: of the bridge that the pods are ports of. */
export function podGateway(nodeIndex: number): AddressPair {
  return { ipv4: `10.244.${nodeIndex + 1}.1`, ipv6: `fd00:10:244:${nodeIndex + 1}::1` }
}

/** The first address of the node's pod CIDR: that of the overlay device, as flannel does it. */
export function overlayAddress(nodeIndex: number): AddressPair {
  return { ipv4: `10.244.${nodeIndex + 1}.0`, ipv6: `fd00:10:244:${nodeIndex + 1}::` }
}

/** The address of a node's nth pod, from 0; a /24 holds 240 of them. */
export function podAddress(nodeIndex: number, podIndex: number): AddressPair {
  const host = 10 + podIndex
  return { ipv4: `10.244.${nodeIndex + 1}.${host}`, ipv6: `fd00:10:244:${nodeIndex + 1}::${host.toString(16)}` }
}
