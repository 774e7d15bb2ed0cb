// SPDX-License-Identifier: Apache-2.0
/** A raw core/v1 Service, checked, defaulted as an API server would, and trimmed to the fields that are read. */
import { defined, type Fields } from './fields.ts'
import { canonicalAddress, familyOf, parseCidr } from './ip.ts'
import { normalizeMetadata } from './normalize-metadata.ts'
import type { Service, ServicePort } from './types.ts'

/** sessionAffinityConfig.clientIP.timeoutSeconds: the API's default and maximum. */
const AFFINITY_SECONDS = { default: 10_800, max: 86_400 }
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const
const FAMILIES = ['IPv4', 'IPv6'] as const
const POLICIES = ['Cluster', 'Local'] as const

/** Throws FieldError. */
export function normalizeService(object: Fields): Service {
  const metadata = normalizeMetadata(object, 'Namespaced', 'label')
  const spec = object.object('spec')
  const type = spec.oneOf('type', ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const) ?? 'ClusterIP'
  const clusterIPs = readClusterIPs(spec)
  const ports = readPorts(spec)
  if (ports.length === 0 && type !== 'ExternalName' && clusterIPs[0] !== 'None')
    spec.fail('ports', 'Required value is missing')
  const clientIP = spec.object('sessionAffinityConfig').object('clientIP')
  return {
    metadata,
    spec: defined<Service['spec']>({
      type,
      clusterIPs,
      ports,
      selector: spec.stringMap('selector'),
      externalIPs: readAddresses(spec, 'externalIPs'),
      externalName: spec.string('externalName'),
      ipFamilies: readFamilies(spec),
      ipFamilyPolicy: spec.oneOf('ipFamilyPolicy', ['SingleStack', 'PreferDualStack', 'RequireDualStack'] as const),
      sessionAffinity: spec.oneOf('sessionAffinity', ['None', 'ClientIP'] as const) ?? 'None',
      affinityTimeoutSeconds: clientIP.integer('timeoutSeconds', 1, AFFINITY_SECONDS.max) ?? AFFINITY_SECONDS.default,
      externalTrafficPolicy: spec.oneOf('externalTrafficPolicy', POLICIES) ?? 'Cluster',
      internalTrafficPolicy: spec.oneOf('internalTrafficPolicy', POLICIES) ?? 'Cluster',
      trafficDistribution: spec.string('trafficDistribution'),
      healthCheckNodePort: spec.integer('healthCheckNodePort', 0, 65_535) ?? 0,
      loadBalancerSourceRanges: readSourceRanges(spec),
      publishNotReadyAddresses: spec.boolean('publishNotReadyAddresses') ?? false,
      loadBalancerClass: spec.string('loadBalancerClass'),
      allocateLoadBalancerNodePorts: spec.boolean('allocateLoadBalancerNodePorts'),
    }),
    status: { loadBalancer: { ingress: readIngress(object.object('status').object('loadBalancer')) } },
  }
}

/** clusterIP and clusterIPs say the same; either will do. */
function readClusterIPs(spec: Fields): string[] {
  const first = readClusterIP(spec, 'clusterIP', spec.string('clusterIP') ?? '')
  const all = spec.strings('clusterIPs').map((text, index) => readClusterIP(spec, `clusterIPs[${index}]`, text))
  const given = all.filter((address) => address !== '')
  if (given.length === 0) return first === '' ? [] : [first]
  if (first !== '' && first !== given[0])
    spec.fail('clusterIPs[0]', `Must be the same as clusterIP, ${first}, got ${given[0]}`)
  if (given.length > 1 && given.includes('None')) spec.fail('clusterIPs', "'None' must stand alone")
  if (given.length > 2) spec.fail('clusterIPs', `May hold one address of each family, got ${given.length}`)
  if (given.length === 2 && familyOf(given[0] ?? '') === familyOf(given[1] ?? '')) {
    spec.fail('clusterIPs', `May hold one address of each family, got ${given.join(' and ')}`)
  }
  return given
}

function readClusterIP(spec: Fields, name: string, text: string): string {
  if (text === '' || text === 'None') return text
  return canonicalAddress(text) ?? spec.fail(name, `Expected an IP address or 'None', got '${text}'`)
}

function readPorts(spec: Fields): ServicePort[] {
  const fields = spec.objects('ports')
  const names = new Set<string>()
  const numbers = new Set<string>()
  return fields.map((entry) => {
    const name = entry.string('name') ?? ''
    const port = entry.integer('port', 1, 65_535) ?? entry.fail('port', 'Required value is missing')
    const protocol = entry.oneOf('protocol', PROTOCOLS) ?? 'TCP'
    if (name === '' && fields.length > 1)
      entry.fail('name', 'Required value is missing: a Service with several ports names each')
    if (names.has(name)) entry.fail('name', `Duplicate value: '${name}'`)
    if (numbers.has(`${protocol} ${port}`)) entry.fail('port', `Duplicate value: ${protocol} ${port}`)
    names.add(name)
    numbers.add(`${protocol} ${port}`)
    return defined<ServicePort>({
      name,
      protocol,
      port,
      nodePort: entry.integer('nodePort', 0, 65_535) ?? 0,
      targetPort: readTargetPort(entry, port),
      appProtocol: entry.string('appProtocol'),
    })
  })
}

function readTargetPort(entry: Fields, port: number): number | string {
  const value = entry.raw('targetPort')
  if (value === undefined || value === '' || value === 0) return port
  if (typeof value === 'number') return entry.integer('targetPort', 1, 65_535) ?? port
  const name = entry.requiredString('targetPort')
  // RFC 6335, 5.1: a service name has a letter. Without the rule '80' would look for a port of that name.
  if (!/^(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/.test(name)) {
    entry.fail('targetPort', `Expected a port number or a port's name, got '${name}'`)
  }
  return name
}

function readAddresses(spec: Fields, name: string): string[] {
  return spec
    .strings(name)
    .map(
      (text, index) =>
        canonicalAddress(text) ?? spec.fail(`${name}[${index}]`, `Expected an IP address, got '${text}'`),
    )
}

/** The API lets blanks around a range pass, so they are there in clusters. */
function readSourceRanges(spec: Fields): string[] {
  return spec
    .strings('loadBalancerSourceRanges')
    .map(
      (text, index) =>
        parseCidr(text.trim())?.text ??
        spec.fail(`loadBalancerSourceRanges[${index}]`, `Expected a CIDR, got '${text}'`),
    )
}

function readFamilies(spec: Fields): Service['spec']['ipFamilies'] {
  if (spec.raw('ipFamilies') === undefined) return undefined
  return spec.strings('ipFamilies').map((text, index) => {
    const family = FAMILIES.find((candidate) => candidate === text)
    return family ?? spec.fail(`ipFamilies[${index}]`, `Expected one of ${FAMILIES.join(', ')}, got '${text}'`)
  })
}

function readIngress(loadBalancer: Fields): Service['status']['loadBalancer']['ingress'] {
  return loadBalancer.objects('ingress').map((entry) => {
    const text = entry.string('ip')
    return defined<Service['status']['loadBalancer']['ingress'][number]>({
      ip: text ? (canonicalAddress(text) ?? entry.fail('ip', `Expected an IP address, got '${text}'`)) : undefined,
      hostname: entry.string('hostname'),
      ipMode: entry.oneOf('ipMode', ['VIP', 'Proxy'] as const),
    })
  })
}
