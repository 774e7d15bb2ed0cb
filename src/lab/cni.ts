// SPDX-License-Identifier: Apache-2.0
/**
 * How pods hang on their node and nodes reach each other's pods: the shapes of the usual CNIs, each with the rules that
 * such a CNI installs.
 */

import { type AddressPair, clusterCidr, nodeAddress, overlayAddress, podCidr, podGateway } from './address-plan.ts'
import { emptySetup, type NamespaceSetup } from './namespace.ts'

/**
 * - `routed`: a veth and a host route for each pod, pods of other nodes by the nodes' addresses (calico).
 * - `bridge`: pods are ports of a bridge, pods of other nodes by the nodes' addresses (kindnet, flannel's host-gw).
 * - `vxlan`: an overlay device between the nodes, pods of this node on a bridge (flannel).
 * - `vxlan-routed`: the overlay, with a veth and a host route for each pod (calico's VXLAN mode).
 */
export type CniName = (typeof cniNames)[number]
export const cniNames = ['routed', 'bridge', 'vxlan', 'vxlan-routed'] as const

/** Where a pod stands: what its links are made from. */
export interface PodPlace {
  readonly nodeIndex: number
  readonly addresses: AddressPair
  /** The node's end of the pod's veth. */
  readonly device: string
}

const uplinkMtu = 1500
/** Outer IPv4, UDP, VXLAN and inner Ethernet headers (RFC 7348). */
const vxlanOverhead = 50

// What calico gives the host's end of every pod's veth, and the link-local address that follows from it (RFC 4291, A).
const routedMac = 'ee:ee:ee:ee:ee:ee'
const routedGateway: AddressPair = { ipv4: '169.254.1.1', ipv6: 'fe80::ecee:eeff:feee:eeee' }

function isOverlay(cni: CniName): boolean {
  return cni === 'vxlan' || cni === 'vxlan-routed'
}

function isBridged(cni: CniName): boolean {
  return cni === 'bridge' || cni === 'vxlan'
}

export function podMtu(cni: CniName): number {
  return isOverlay(cni) ? uplinkMtu - vxlanOverhead : uplinkMtu
}

/** A node's part: bridge, overlay device, routes to the other nodes' pods, masquerade rules. */
export function nodeSetup(cni: CniName, nodeIndex: number, nodeCount: number): NamespaceSetup {
  const peers = Array.from({ length: nodeCount }, (_, index) => index).filter((index) => index !== nodeIndex)
  const overlay = isOverlay(cni) ? overlaySetup(cni, nodeIndex, peers) : emptySetup
  return {
    ...emptySetup,
    ip: [...(isBridged(cni) ? bridgeLinks(cni, nodeIndex) : []), ...(isOverlay(cni) ? overlay.ip : peerRoutes(peers))],
    bridge: overlay.bridge,
    nft: `${forwardRules}\n${natRules(cni, nodeIndex)}`,
  }
}

function peerRoutes(peers: readonly number[]): string[] {
  return peers.flatMap((peer) => [
    `route add ${podCidr(peer).ipv4} via ${nodeAddress(peer).ipv4}`,
    `route add ${podCidr(peer).ipv6} via ${nodeAddress(peer).ipv6}`,
  ])
}

function bridgeLinks(cni: CniName, nodeIndex: number): string[] {
  const gateway = podGateway(nodeIndex)
  return [
    `link add cni0 mtu ${podMtu(cni)} address ${mac(0xc0, nodeIndex)} type bridge`,
    `address add ${gateway.ipv4}/24 dev cni0`,
    `address add ${gateway.ipv6}/64 dev cni0 nodad`,
    'link set cni0 up',
  ]
}

/** As flannel does it: the overlay's neighbours and forwarding entries are known in advance, nothing is learned. */
function overlaySetup(cni: CniName, nodeIndex: number, peers: readonly number[]): NamespaceSetup {
  const own = overlayAddress(nodeIndex)
  return {
    ...emptySetup,
    ip: [
      `link add vxlan0 mtu ${podMtu(cni)} address ${mac(0xf0, nodeIndex)} type vxlan id 1 local ${nodeAddress(nodeIndex).ipv4} dev eth0 dstport 8472 nolearning`,
      `address add ${own.ipv4}/32 dev vxlan0`,
      `address add ${own.ipv6}/128 dev vxlan0 nodad`,
      'link set vxlan0 up',
      ...peers.flatMap((peer) => [
        `neighbour add ${overlayAddress(peer).ipv4} lladdr ${mac(0xf0, peer)} dev vxlan0 nud permanent`,
        `neighbour add ${overlayAddress(peer).ipv6} lladdr ${mac(0xf0, peer)} dev vxlan0 nud permanent`,
        `route add ${podCidr(peer).ipv4} via ${overlayAddress(peer).ipv4} dev vxlan0 onlink`,
        `route add ${podCidr(peer).ipv6} via ${overlayAddress(peer).ipv6} dev vxlan0 onlink`,
      ]),
    ],
    bridge: peers.map((peer) => `fdb append ${mac(0xf0, peer)} dev vxlan0 dst ${nodeAddress(peer).ipv4}`),
  }
}

/** Locally administered (IEEE 802, bit 1 of the first byte), the same in every run. */
function mac(kind: number, nodeIndex: number): string {
  return `02:00:00:00:${kind.toString(16)}:0${nodeIndex + 1}`
}

const forwardRules = `
table inet cni {
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state invalid drop
    ct state established,related accept
  }
}`

function natRules(cni: CniName, nodeIndex: number): string {
  const rules = (family: 'ip' | 'ip6', cluster: string, own: string, multicast: string): string => `
table ${family} cni {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${family} saddr ${cluster} ${family} daddr ${cluster} return
    ${family} saddr ${cluster} ${family} daddr != ${multicast} masquerade fully-random
    ${
      // flannel also hides who comes from outside the cluster, except from this node's own pods.
      isOverlay(cni)
        ? `${family} saddr != ${cluster} ${family} daddr ${cluster} ${family} daddr != ${own} masquerade fully-random`
        : ''
    }
  }
}`
  const own = podCidr(nodeIndex)
  return `${rules('ip', clusterCidr.ipv4, own.ipv4, '224.0.0.0/4')}\n${rules('ip6', clusterCidr.ipv6, own.ipv6, 'ff00::/8')}\n`
}

/** The node's end of a pod's link. */
export function podNodeSetup(cni: CniName, pod: PodPlace): NamespaceSetup {
  const { device, addresses } = pod
  if (isBridged(cni)) {
    // flannel's bridge sends a pod's packets back to it, the plain bridge plugin's does not.
    const hairpin = cni === 'vxlan' ? 'on' : 'off'
    return {
      ...emptySetup,
      ip: [
        `link set ${device} master cni0`,
        `link set ${device} type bridge_slave hairpin ${hairpin}`,
        `link set ${device} up`,
      ],
    }
  }
  return {
    ...emptySetup,
    sysctls: { [`net/ipv4/conf/${device}/proxy_arp`]: 1, [`net/ipv4/neigh/${device}/proxy_delay`]: 0 },
    ip: [
      `link set ${device} address ${routedMac} up`,
      `route add ${addresses.ipv4} dev ${device}`,
      `route add ${addresses.ipv6} dev ${device}`,
    ],
  }
}

/** The pod's end. */
export function podSetup(cni: CniName, pod: PodPlace): NamespaceSetup {
  const { addresses } = pod
  const gateway = podGateway(pod.nodeIndex)
  const bridged = isBridged(cni)
  return {
    ...emptySetup,
    sysctls: { 'net/ipv6/conf/*/accept_dad': 0 },
    ip: [
      'link set lo up',
      'link set eth0 up',
      `address add ${addresses.ipv4}/${bridged ? 24 : 32} dev eth0`,
      `address add ${addresses.ipv6}/${bridged ? 64 : 128} dev eth0 nodad`,
      ...(bridged
        ? [`route add default via ${gateway.ipv4}`, `route add default via ${gateway.ipv6}`]
        : [
            `route add ${routedGateway.ipv4} dev eth0 scope link`,
            `route add default via ${routedGateway.ipv4} dev eth0`,
            `route add default via ${routedGateway.ipv6} dev eth0`,
          ]),
    ],
  }
}
