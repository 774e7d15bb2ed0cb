// SPDX-License-Identifier: Apache-2.0
/** The machines of a lab and their wires: the fabric, the nodes, the client outside. */

import { fileURLToPath } from 'node:url'
import {
  type AddressPair,
  controlPlaneAddress,
  externalCidr,
  nodeAddress,
  nodeGateway,
  outsideClient,
  outsideClient2,
  outsideGateway,
  serviceCidr,
} from './address-plan.ts'
import { type CniName, nodeSetup } from './cni.ts'
import { emptySetup, type NamespaceSetup } from './namespace.ts'

/** What makes the fabric's ends of the nodes' wires take all that XDP sends; see bpf/test/wire.bpf.c. */
const wireObject = fileURLToPath(new URL('../../bpf/dist/test/wire.o', import.meta.url))

/** A device of the fabric that leads to a node. */
function fabricPort(nodeIndex: number): string {
  return `node${nodeIndex}`
}

/** Lines of `ip -batch` that make the namespaces of fabric, outside and nodes, and the wires between them. */
export function topologyLinks(name: (place: string) => string, nodes: readonly string[]): string[] {
  return [
    ...['fabric', 'outside', ...nodes].map((place) => `netns add ${name(place)}`),
    `link add eth0 netns ${name('outside')} type veth peer name outside netns ${name('fabric')}`,
    ...nodes.map(
      (node, index) =>
        `link add eth0 netns ${name(node)} type veth peer name ${fabricPort(index)} netns ${name('fabric')}`,
    ),
  ]
}

/** Lines of `ip -batch` that make the namespace of the API server, and its wire to the fabric. */
export function controlPlaneLinks(name: (place: string) => string): string[] {
  const [machine, fabric] = [name('control-plane'), name('fabric')]
  return [`netns add ${machine}`, `link add eth0 netns ${machine} type veth peer name control netns ${fabric}`]
}

/** The fabric's end of the API server's wire: another port of the nodes' switch. */
export function controlPlanePortSetup(): NamespaceSetup {
  return { ...emptySetup, ip: ['link set control master lan', 'link set control up'] }
}

export function controlPlaneSetup(): NamespaceSetup {
  return {
    ...emptySetup,
    sysctls: noDad,
    ethtool: ['-K eth0 tx off'],
    ip: [
      'link set lo up',
      ...address('eth0', controlPlaneAddress, 24, 64),
      'link set eth0 up',
      ...defaultRoute(nodeGateway),
    ],
  }
}

const forwarding = { 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 }
// Duplicate address detection takes a second, and nobody else is on these wires.
const noDad = { 'net/ipv6/conf/default/accept_dad': 0, 'net/ipv6/conf/*/accept_dad': 0 }

/** The router between the nodes' network, whose switch it is, and the outside. */
export function fabricSetup(nodeCount: number): NamespaceSetup {
  const ports = Array.from({ length: nodeCount }, (_, index) => fabricPort(index))
  return {
    ...emptySetup,
    // The fabric is the network, not a firewall: it forwards a ClusterIP's packets as it is told and says nothing.
    sysctls: {
      ...forwarding,
      ...noDad,
      'net/ipv4/conf/all/send_redirects': 0,
      'net/ipv4/conf/default/send_redirects': 0,
    },
    ip: [
      'link set lo up',
      'link add lan type bridge',
      ...ports.flatMap((port) => [
        `link set ${port} xdp obj ${wireObject} sec xdp`,
        `link set ${port} master lan`,
        `link set ${port} up`,
      ]),
      ...address('lan', nodeGateway, 24, 64),
      ...address('outside', outsideGateway, 24, 64),
      'link set lan up',
      'link set outside up',
      ...ports.flatMap((_, index) => routes(externalCidr(index), nodeAddress(index))),
      ...routes(serviceCidr, nodeAddress(0)),
    ],
  }
}

/** The client outside: its packets carry whole checksums, as they do on a wire. */
export function outsideSetup(): NamespaceSetup {
  return {
    ...emptySetup,
    sysctls: noDad,
    ethtool: ['-K eth0 tx off'],
    ip: [
      'link set lo up',
      ...address('eth0', outsideClient, 24, 64),
      // Deprecated (RFC 4862, 5.5.4): only a client that asks for it gets it as its source.
      ...address('eth0', outsideClient2, 24, 64).map((line) => `${line} preferred_lft 0`),
      'link set eth0 up',
      ...defaultRoute(outsideGateway),
    ],
  }
}

/** What a node's hostility is made of, beside the CNI's rules. */
export interface NodeSysctls {
  /** net.bridge.bridge-nf-call-iptables and -ip6tables: bridged packets pass netfilter, as kubeadm demands. */
  readonly bridgeNetfilter: boolean
  /** Reverse path filter: 0 off, 1 strict, also for IPv6, 2 loose (RFC 3704). */
  readonly rpFilter: 0 | 1 | 2
}

export function nodeMachineSetup(
  cni: CniName,
  nodeIndex: number,
  nodeCount: number,
  sysctls: NodeSysctls,
): NamespaceSetup {
  const ownPart = nodeSetup(cni, nodeIndex, nodeCount)
  const bridgeNetfilter = sysctls.bridgeNetfilter ? 1 : 0
  return {
    sysctls: {
      ...forwarding,
      ...noDad,
      'net/ipv4/conf/default/rp_filter': sysctls.rpFilter,
      'net/ipv4/conf/*/rp_filter': sysctls.rpFilter,
      'net/bridge/bridge-nf-call-iptables': bridgeNetfilter,
      'net/bridge/bridge-nf-call-ip6tables': bridgeNetfilter,
    },
    // A veth leaves checksums to its peer; what leaves a real NIC is whole, and XDP on the other node needs it so.
    ethtool: ['-K eth0 tx off'],
    ip: [
      'link set lo up',
      ...address('eth0', nodeAddress(nodeIndex), 24, 64),
      'link set eth0 up',
      ...defaultRoute(nodeGateway),
      ...ownPart.ip,
    ],
    bridge: ownPart.bridge,
    nft: `${ownPart.nft}\n${sysctls.rpFilter === 1 ? reversePathRules : ''}`,
  }
}

// IPv6 has no rp_filter; this is what firewalld installs in its place (IPv6_rpfilter=yes).
const reversePathRules = `
table ip6 reverse-path {
  chain prerouting {
    type filter hook prerouting priority mangle; policy accept;
    icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
    fib saddr . iif oif missing drop
  }
}`

function address(device: string, pair: AddressPair, length4: number, length6: number): string[] {
  return [
    `address add ${pair.ipv4}/${length4} dev ${device}`,
    `address add ${pair.ipv6}/${length6} dev ${device} nodad`,
  ]
}

function routes(cidr: AddressPair, via: AddressPair): string[] {
  return [`route add ${cidr.ipv4} via ${via.ipv4}`, `route add ${cidr.ipv6} via ${via.ipv6}`]
}

function defaultRoute(via: AddressPair): string[] {
  return [`route add default via ${via.ipv4}`, `route add default via ${via.ipv6}`]
}
