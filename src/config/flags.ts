// SPDX-License-Identifier: Apache-2.0
/** The flags of the command line that say the same as the configuration, and how they are read. */
import { mapSpecs } from '../abi/generated.ts'
import { canonicalAddress, parseCidr } from '../model/ip.ts'
import {
  type Config,
  ConfigError,
  LOCAL_MODES,
  type PortRange,
  type SizedMap,
  SOCKET_LB_MODES,
  XDP_MODES,
} from './config.ts'

/** For node:util's parseArgs, with the words of `--help`; a command spreads these among its own. No defaults: a flag that is absent leaves the file's value. */
export const CONFIG_FLAGS = {
  config: {
    type: 'string',
    placeholder: 'FILE',
    description: 'KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1); flags win over it',
  },
  node: { type: 'string', placeholder: 'NAME', description: "Name of this Node; default: the host's name" },
  'hostname-override': {
    type: 'string',
    placeholder: 'NAME',
    description: 'The same as --node, as kube-proxy calls it',
  },
  'node-ip': {
    type: 'string',
    multiple: true,
    placeholder: 'IP',
    description: 'An address of this node; default: those of its interfaces',
  },
  'cluster-cidr': {
    type: 'string',
    multiple: true,
    placeholder: 'CIDR[,CIDR]',
    description: "The pods' addresses, one range a family",
  },
  'detect-local-mode': {
    type: 'string',
    placeholder: 'MODE',
    description: `How a pod of this cluster is known: ${LOCAL_MODES.join(', ')}`,
  },
  'pod-bridge-interface': {
    type: 'string',
    placeholder: 'NAME',
    description: 'The bridge of detect-local-mode BridgeInterface',
  },
  'pod-interface-name-prefix': {
    type: 'string',
    placeholder: 'TEXT',
    description: 'The prefix of detect-local-mode InterfaceNamePrefix',
  },
  'masquerade-all': { type: 'boolean', description: 'Every packet to a ClusterIP leaves with the address of the node' },
  'nodeport-addresses': {
    type: 'string',
    multiple: true,
    placeholder: 'CIDR|primary|all|localhost',
    description: 'Addresses that NodePorts answer on; default: all',
  },
  'localhost-nodeports': { type: 'boolean', description: 'NodePorts answer on 127.0.0.1 (default true)' },
  'answer-ping': { type: 'boolean', description: 'Pings to VIPs are answered (default true)' },
  'snat-port-range': {
    type: 'string',
    placeholder: 'MIN-MAX',
    description: 'Source ports of masqueraded flows; default: the largest free range',
  },
  seed: { type: 'string', placeholder: 'NUMBER', description: 'Seed of every hash, the same on all nodes' },
  'map-size': {
    type: 'string',
    multiple: true,
    placeholder: 'MAP=ENTRIES',
    description: 'Size of one of the maps, such as flows=1048576',
  },
  devices: {
    type: 'string',
    multiple: true,
    placeholder: 'PATTERN',
    description: 'Network devices to attach to; default: found out',
  },
  'pod-interfaces': {
    type: 'string',
    multiple: true,
    placeholder: 'PATTERN',
    description: 'Host ends of pods; default: found out',
  },
  'socket-lb': {
    type: 'string',
    placeholder: SOCKET_LB_MODES.join('|'),
    description: 'Whose sockets are translated at connect (default all)',
  },
  xdp: {
    type: 'string',
    placeholder: XDP_MODES.join('|'),
    description: 'XDP on network devices; auto leaves veths to tc (default auto)',
  },
  'service-cidr': {
    type: 'string',
    multiple: true,
    placeholder: 'CIDR',
    description: 'Ranges that ClusterIPs are allocated from without an API server',
  },
  'node-port-range': { type: 'string', placeholder: 'MIN-MAX', description: 'NodePorts (default 30000-32767)' },
  'healthz-bind-address': {
    type: 'string',
    placeholder: 'IP:PORT',
    description: 'Health checks (default 0.0.0.0:10256)',
  },
  'metrics-bind-address': { type: 'string', placeholder: 'IP:PORT', description: 'Metrics (default 127.0.0.1:10249)' },
  kubeconfig: {
    type: 'string',
    placeholder: 'FILE',
    description: "How to reach the API server; default: a Pod's service account",
  },
  master: { type: 'string', placeholder: 'URL', description: "The API server, instead of the kubeconfig's" },
} as const

export type ConfigFlag = keyof typeof CONFIG_FLAGS
export type FlagValue = string | boolean | readonly string[] | undefined
export type FlagValues = Readonly<Partial<Record<ConfigFlag, FlagValue>>>

/** What the given flags say. Throws {@link ConfigError} that names the flag. */
export function readConfigFlags(flags: FlagValues): Partial<Config> {
  const entries: { [K in keyof Config]?: Config[K] | undefined } = {
    nodeName: one(flags, 'node') ?? one(flags, 'hostname-override')?.toLowerCase(),
    nodeIps: list(flags, 'node-ip', canonicalAddress, 'an IP address'),
    clusterCidrs: list(flags, 'cluster-cidr', canonicalCidr, 'a CIDR'),
    detectLocalMode: choice(flags, 'detect-local-mode', LOCAL_MODES),
    bridgeInterface: one(flags, 'pod-bridge-interface'),
    interfaceNamePrefix: one(flags, 'pod-interface-name-prefix'),
    masqueradeAll: bool(flags, 'masquerade-all'),
    nodePortAddresses: list(flags, 'nodeport-addresses', nodePortEntry, 'a CIDR, primary, all or localhost'),
    localhostNodePorts: bool(flags, 'localhost-nodeports'),
    answerPing: bool(flags, 'answer-ping'),
    snatPortRange: range(flags, 'snat-port-range'),
    seed: number(flags, 'seed', 0, 0xffff_ffff),
    mapSizes: mapSizes(flags),
    devices: list(flags, 'devices', (text) => text, 'a name'),
    podInterfaces: list(flags, 'pod-interfaces', (text) => text, 'a name'),
    socketLb: choice(flags, 'socket-lb', SOCKET_LB_MODES),
    xdp: choice(flags, 'xdp', XDP_MODES),
    serviceCidrs: list(flags, 'service-cidr', canonicalCidr, 'a CIDR'),
    nodePortRange: range(flags, 'node-port-range'),
    healthzBindAddress: one(flags, 'healthz-bind-address'),
    metricsBindAddress: one(flags, 'metrics-bind-address'),
    kubeconfig: one(flags, 'kubeconfig'),
    master: one(flags, 'master'),
  }
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined))
}

function one(flags: FlagValues, name: ConfigFlag): string | undefined {
  const value = flags[name]
  return typeof value === 'string' ? value.trim() : undefined
}

/** Repeated, or one value with commas. */
function list(
  flags: FlagValues,
  name: ConfigFlag,
  read: (text: string) => string | undefined,
  expected: string,
): readonly string[] | undefined {
  const value = flags[name]
  if (value === undefined || typeof value === 'boolean') return undefined
  const texts = (typeof value === 'string' ? [value] : value)
    .flatMap((part) => part.split(','))
    .map((part) => part.trim())
  return texts
    .filter((text) => text !== '')
    .map((text) => read(text) ?? fail(name, `expected ${expected}, got '${text}'`))
}

function choice<T extends string>(flags: FlagValues, name: ConfigFlag, values: readonly T[]): T | undefined {
  const text = one(flags, name)
  if (text === undefined) return undefined
  return values.find((value) => value === text) ?? fail(name, `expected one of ${values.join(', ')}, got '${text}'`)
}

function bool(flags: FlagValues, name: ConfigFlag): boolean | undefined {
  const value = flags[name]
  if (value === undefined || typeof value === 'boolean') return value
  if (value === 'true' || value === 'false') return value === 'true'
  return fail(name, `expected true or false, got '${String(value)}'`)
}

function number(flags: FlagValues, name: ConfigFlag, min: number, max: number): number | undefined {
  const text = one(flags, name)
  return text === undefined ? undefined : toNumber(name, text, min, max)
}

function range(flags: FlagValues, name: ConfigFlag): PortRange | undefined {
  const text = one(flags, name)
  if (text === undefined) return undefined
  const [min = '', max = min, ...rest] = text.split('-')
  const ports = { min: toNumber(name, min, 1, 65_535), max: toNumber(name, max, 1, 65_535) }
  return rest.length === 0 && ports.min <= ports.max ? ports : fail(name, `expected MIN-MAX, got '${text}'`)
}

function mapSizes(flags: FlagValues): Config['mapSizes'] | undefined {
  const entries = list(flags, 'map-size', (text) => text, 'MAP=ENTRIES')?.map((text): [SizedMap, number] => {
    const [name = '', size = ''] = text.split('=')
    if (!Object.hasOwn(mapSpecs, name))
      fail('map-size', `expected one of ${Object.keys(mapSpecs).join(', ')}, got '${name}'`)
    return [name as SizedMap, toNumber('map-size', size, 1, 2 ** 31)]
  })
  return entries && Object.fromEntries(entries)
}

function toNumber(name: ConfigFlag, text: string, min: number, max: number): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN
  return value >= min && value <= max ? value : fail(name, `expected a number from ${min} to ${max}, got '${text}'`)
}

function canonicalCidr(text: string): string | undefined {
  return parseCidr(text)?.text
}

function nodePortEntry(text: string): string | undefined {
  return text === 'primary' || text === 'all' || text === 'localhost' ? text : canonicalCidr(text)
}

function fail(name: ConfigFlag, message: string): never {
  throw new ConfigError(`--${name}`, message)
}
