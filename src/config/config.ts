// SPDX-License-Identifier: Apache-2.0
/** What an agent, a compile or a trace can be told: every knob with its default. The defaults are kube-proxy's. */
import { hostname } from 'node:os'
import type { mapSpecs } from '../abi/generated.ts'

/** How a client is known to be a pod of this cluster (kube-proxy's detectLocalMode). */
export const LOCAL_MODES = ['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'] as const
export type LocalMode = (typeof LOCAL_MODES)[number]

/** Whose sockets are translated at connect: every process's, only those of the node's own network namespace, nobody's. */
export const SOCKET_LB_MODES = ['all', 'host', 'off'] as const
export type SocketLb = (typeof SOCKET_LB_MODES)[number]

/** Which XDP a device gets: the driver's where it can, else the generic one; only one of them; none. */
export const XDP_MODES = ['auto', 'native', 'generic', 'off'] as const
export type XdpPolicy = (typeof XDP_MODES)[number]

export interface PortRange {
  /** Inclusive. */
  readonly min: number
  readonly max: number
}

/** A map of the programs, whose size is somebody's choice. */
export type SizedMap = keyof typeof mapSpecs

export interface Config {
  /** Name of the Node object; default: the host's name. */
  readonly nodeName: string
  /** Addresses of the node, canonical; empty: those of its interfaces, or of the Node object. */
  readonly nodeIps: readonly string[]

  /** Default ClusterCIDR. Without clusterCidrs it detects nothing: no client counts as a pod. */
  readonly detectLocalMode: LocalMode
  /** The pods' addresses, canonical CIDRs. */
  readonly clusterCidrs: readonly string[]
  /** Of mode BridgeInterface; '' otherwise. */
  readonly bridgeInterface: string
  /** Of mode InterfaceNamePrefix; '' otherwise. */
  readonly interfaceNamePrefix: string
  /** Every packet to a ClusterIP leaves with the node's address. Default false. */
  readonly masqueradeAll: boolean

  /** CIDRs, `primary`, `all`, `localhost`; empty: all addresses. */
  readonly nodePortAddresses: readonly string[]
  /** NodePorts on 127.0.0.1, IPv4 only. Default true. */
  readonly localhostNodePorts: boolean
  /** Pings to VIPs are answered. Default true. */
  readonly answerPing: boolean
  /** Source ports of masqueraded flows; undefined: the largest range that meets neither ephemeral ports nor NodePorts. */
  readonly snatPortRange: PortRange | undefined
  /** Of every hash, 32 bits; must be the same on all nodes of a cluster. Default 0x6d61676c. */
  readonly seed: number
  /** Elements by the map's name; maps that are not named have the size that the programs were built with. */
  readonly mapSizes: Readonly<Partial<Record<SizedMap, number>>>
  /** Names of network devices to attach to, `*` matches any text; empty: found out. */
  readonly devices: readonly string[]
  /** Names of the host ends of pods' interfaces, `*` matches any text; empty: found out. */
  readonly podInterfaces: readonly string[]
  /** Default all. */
  readonly socketLb: SocketLb
  /** Default auto. */
  readonly xdp: XdpPolicy

  /** Ranges that a standalone load balancer takes ClusterIPs from; empty: its defaults. */
  readonly serviceCidrs: readonly string[]
  /** NodePorts. Default 30000–32767. */
  readonly nodePortRange: PortRange

  /** '' serves none. Default 0.0.0.0:10256. */
  readonly healthzBindAddress: string
  /** '' serves none. Default 127.0.0.1:10249. */
  readonly metricsBindAddress: string
  /** How often everything is compared again although nothing was said to have changed. Default 900,000 (15 min). */
  readonly configSyncPeriodMs: number
  /** Path; '' for the ways of a Pod in the cluster. */
  readonly kubeconfig: string
  /** URL of the API server, instead of the kubeconfig's; '' for that one. */
  readonly master: string
}

export const DEFAULT_CONFIG: Config = {
  nodeName: hostname().toLowerCase(),
  nodeIps: [],
  detectLocalMode: 'ClusterCIDR',
  clusterCidrs: [],
  bridgeInterface: '',
  interfaceNamePrefix: '',
  masqueradeAll: false,
  nodePortAddresses: [],
  localhostNodePorts: true,
  answerPing: true,
  snatPortRange: undefined,
  seed: 0x6d61676c,
  mapSizes: {},
  devices: [],
  podInterfaces: [],
  socketLb: 'all',
  xdp: 'auto',
  serviceCidrs: [],
  nodePortRange: { min: 30_000, max: 32_767 },
  healthzBindAddress: '0.0.0.0:10256',
  metricsBindAddress: '127.0.0.1:10249',
  configSyncPeriodMs: 900_000,
  kubeconfig: '',
  master: '',
}

/** Something in a file or a flag that cannot be used. */
export class ConfigError extends Error {
  readonly code = 'CONFIG'
  constructor(where: string, message: string, options?: ErrorOptions) {
    super(`${where}: ${message}`, options)
    this.name = 'ConfigError'
  }
}
