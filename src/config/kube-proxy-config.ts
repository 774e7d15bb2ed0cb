// SPDX-License-Identifier: Apache-2.0
/** Reads a KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1) as it is: what it says of Services' traffic counts here too. */
import { parse } from 'yaml'
import { FieldError, Fields } from '../model/fields.ts'
import { parseCidr } from '../model/ip.ts'
import { NODE_PORT_KEYWORDS } from '../model/node-context.ts'
import { type Config, ConfigError, LOCAL_MODES } from './config.ts'
import { parseGoDuration } from './go-duration.ts'

export interface ReadConfig {
  readonly config: Partial<Config>
  /** What is set in the file and means nothing here, one sentence each. */
  readonly notes: readonly string[]
}

const GROUP = 'kubeproxy.config.k8s.io'

/** Fields that are read, and within sections those that are. */
const READ = new Set([
  'apiVersion',
  'kind',
  'hostnameOverride',
  'healthzBindAddress',
  'metricsBindAddress',
  'mode',
  'detectLocalMode',
  'clusterCIDR',
  'nodePortAddresses',
  'configSyncPeriod',
  'clientConnection.kubeconfig',
  'detectLocal.bridgeInterface',
  'detectLocal.interfaceNamePrefix',
  'iptables.masqueradeAll',
  'iptables.localhostNodePorts',
  'nftables.masqueradeAll',
])
const SECTIONS = new Set([
  'clientConnection',
  'detectLocal',
  'iptables',
  'nftables',
  'ipvs',
  'conntrack',
  'winkernel',
  'logging',
  'featureGates',
])
/** Fields of kube-proxy that say how it does its work, not what the work is. */
const FOREIGN = new Set([
  ...SECTIONS,
  'bindAddress',
  'bindAddressHardFail',
  'enableProfiling',
  'showHiddenMetricsForVersion',
  'oomScoreAdj',
  'portRange',
  'windowsRunAsService',
])

/**
 * Reads a file's text, YAML or JSON. A field that is unknown, or known and of no use here, is a note when it is set; a
 * value that cannot be used throws {@link ConfigError}.
 *
 * @param path For messages.
 */
export function readKubeProxyConfig(text: string, path: string): ReadConfig {
  try {
    const file = new Fields(parse(text) ?? {})
    checkKind(file)
    return { config: readFields(file), notes: notesOf(file) }
  } catch (cause) {
    if (cause instanceof FieldError)
      throw new ConfigError(path, cause.field ? `${cause.field}: ${cause.message}` : cause.message, { cause })
    if (cause instanceof Error && cause.name === 'YAMLParseError') throw new ConfigError(path, cause.message, { cause })
    throw cause
  }
}

function checkKind(file: Fields): void {
  const apiVersion = file.string('apiVersion')
  const kind = file.string('kind')
  if (kind !== undefined && kind !== 'KubeProxyConfiguration')
    file.fail('kind', `Expected KubeProxyConfiguration, got '${kind}'`)
  if (apiVersion !== undefined && apiVersion !== `${GROUP}/v1alpha1`) {
    file.fail('apiVersion', `Expected ${GROUP}/v1alpha1, got '${apiVersion}'`)
  }
}

function readFields(file: Fields): Partial<Config> {
  const nftables = file.string('mode') === 'nftables'
  const detectLocal = file.object('detectLocal')
  const iptables = file.object('iptables')
  const nodePortAddresses = readNodePortAddresses(file)
  return present({
    nodeName: file.string('hostnameOverride')?.trim().toLowerCase() || undefined,
    detectLocalMode: file.oneOf('detectLocalMode', LOCAL_MODES),
    clusterCidrs: readClusterCidrs(file),
    bridgeInterface: detectLocal.string('bridgeInterface') || undefined,
    interfaceNamePrefix: detectLocal.string('interfaceNamePrefix') || undefined,
    masqueradeAll: (nftables ? file.object('nftables') : iptables).boolean('masqueradeAll'),
    // kube-proxy's nftables mode answers on the primary addresses unless told otherwise, and not on loopback.
    nodePortAddresses: nodePortAddresses ?? (nftables ? ['primary'] : undefined),
    localhostNodePorts: iptables.boolean('localhostNodePorts'),
    healthzBindAddress: file.string('healthzBindAddress') || undefined,
    metricsBindAddress: file.string('metricsBindAddress') || undefined,
    configSyncPeriodMs: readDuration(file, 'configSyncPeriod'),
    kubeconfig: file.object('clientConnection').string('kubeconfig') || undefined,
  })
}

function readClusterCidrs(file: Fields): string[] | undefined {
  const text = file.string('clusterCIDR')
  if (!text) return undefined
  return text
    .split(',')
    .map((part) => parseCidr(part.trim())?.text ?? file.fail('clusterCIDR', `Expected CIDRs, got '${part.trim()}'`))
}

function readNodePortAddresses(file: Fields): string[] | undefined {
  const entries = file.strings('nodePortAddresses').map((entry) => entry.trim())
  const words: readonly string[] = NODE_PORT_KEYWORDS
  for (const [index, entry] of entries.entries()) {
    if (words.includes(entry) || parseCidr(entry)) continue
    file.fail(`nodePortAddresses[${index}]`, `Expected a CIDR or one of ${words.join(', ')}, got '${entry}'`)
  }
  return entries.length > 0 ? entries : undefined
}

/** Zero is what a written-out default configuration has: not set. */
function readDuration(file: Fields, name: string): number | undefined {
  const text = file.string(name)
  if (text === undefined || text === '') return undefined
  const durationMs = parseGoDuration(text) ?? file.fail(name, `Expected a duration such as 15m0s, got '${text}'`)
  return durationMs === 0 ? undefined : durationMs
}

function notesOf(file: Fields): string[] {
  const notes: string[] = []
  const say = (name: string, value: unknown) => {
    if (!isZero(value)) notes.push(`${name} has no meaning for maglane`)
  }
  for (const name of file.names()) {
    if (READ.has(name)) continue
    if (!FOREIGN.has(name)) {
      notes.push(`${name} is unknown`)
      continue
    }
    const value = file.raw(name)
    if (!SECTIONS.has(name) || typeof value !== 'object' || value === null) {
      say(name, value)
      continue
    }
    for (const [key, inner] of Object.entries(value)) if (!READ.has(`${name}.${key}`)) say(`${name}.${key}`, inner)
  }
  return notes
}

/** What kube-proxy writes for a field that nobody set. */
function isZero(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === 0 || value === false || value === '0s')
    return true
  if (typeof value !== 'object') return false
  return Object.values(value).every(isZero)
}

function present(config: { readonly [K in keyof Config]?: Config[K] | undefined }): Partial<Config> {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
}
