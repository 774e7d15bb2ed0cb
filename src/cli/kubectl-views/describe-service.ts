// SPDX-License-Identifier: Apache-2.0
/** `kubectl describe service`, line by line. */

import type { EndpointSlice, Service, ServicePort } from '../../model/types.ts'
import { serviceFamilies } from '../../source/controllers/ip-families.ts'
import { readyEndpoints } from './endpoints.ts'
import { formatLabels } from './kubectl-view.ts'
import { DESCRIBE_STYLE, formatTabs } from './tab-writer.ts'

/** Written by kubectl itself, and as long as the whole object. */
const HIDDEN_ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration'
const ANNOTATION_WIDTH = 140

type Line = readonly string[]

/** @param slices The Service's own. */
export function describeService(service: Service, slices: readonly EndpointSlice[]): string {
  const { metadata, spec, status } = service
  const external = spec.type === 'ExternalName'
  const reachable =
    spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (!external && spec.externalIPs.length > 0)
  const ingress = status.loadBalancer.ingress.map(({ ip, hostname, ipMode = 'VIP' }) =>
    ip === undefined ? (hostname ?? '') : `${ip} (${ipMode})`,
  )
  const lines: Line[] = [
    ['Name:', metadata.name],
    ['Namespace:', metadata.namespace],
    ...labelLines(metadata.labels),
    ...annotationLines(metadata.annotations),
    ['Selector:', formatLabels(spec.selector)],
    ['Type:', spec.type],
    ...familyLines(service),
    ['IP:', spec.clusterIPs[0] ?? ''],
    ['IPs:', spec.clusterIPs.join(',') || '<none>'],
    ...optional('External IPs:', spec.externalIPs.join(',')),
    ...optional('External Name:', spec.externalName),
    ...optional('LoadBalancer Ingress:', ingress.join(', ')),
    ...spec.ports.flatMap((port) => portLines(port, service, slices)),
    ['Session Affinity:', spec.sessionAffinity],
    ...(reachable ? [['External Traffic Policy:', spec.externalTrafficPolicy]] : []),
    ...(external ? [] : [['Internal Traffic Policy:', spec.internalTrafficPolicy]]),
    ...optional('HealthCheck NodePort:', spec.healthCheckNodePort > 0 ? String(spec.healthCheckNodePort) : ''),
    ...optional('LoadBalancer Source Ranges:', spec.loadBalancerSourceRanges.join(',')),
    ...optional('Traffic Distribution:', spec.trafficDistribution),
    ['Events:', '<none>'],
  ]
  return formatTabs(lines, DESCRIBE_STYLE)
}

/** As an API server defaults them. */
function familyLines(service: Service): Line[] {
  if (service.spec.type === 'ExternalName') return [['IP Families:', '<none>']]
  const { families } = serviceFamilies(service, ['IPv4', 'IPv6'])
  const { ipFamilyPolicy = families.length > 1 ? 'RequireDualStack' : 'SingleStack', ipFamilies } = service.spec
  return [
    ['IP Family Policy:', ipFamilyPolicy],
    ['IP Families:', (ipFamilies ?? families).join(',')],
  ]
}

function portLines(port: ServicePort, { spec }: Service, slices: readonly EndpointSlice[]): Line[] {
  // A cluster keeps an empty slice for a selector that selects nobody, of which nothing is shown.
  const none = spec.selector === undefined ? '<none>' : ''
  const name = port.name || '<unset>'
  return [
    ['Port:', name, `${port.port}/${port.protocol}`],
    ['TargetPort:', `${port.targetPort}/${port.protocol}`],
    ...optional('AppProtocol:', port.appProtocol),
    ...(port.nodePort > 0 ? [['NodePort:', name, `${port.nodePort}/${port.protocol}`]] : []),
    ['Endpoints:', slices.length === 0 ? none : readyEndpoints(slices, port.name)],
  ]
}

function labelLines(labels: Readonly<Record<string, string>> = {}): Line[] {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))
  return titled(
    'Labels:',
    pairs.map(([name, value]) => [`${name}=${value}`]),
  )
}

function annotationLines(annotations: Readonly<Record<string, string>> = {}): Line[] {
  const pairs = Object.entries(annotations).filter(([name]) => name !== HIDDEN_ANNOTATION)
  pairs.sort(([a], [b]) => (a < b ? -1 : 1))
  return titled(
    'Annotations:',
    pairs.map(([name, text]) => {
      const value = text.replace(/\n$/, '')
      if (!value.includes('\n') && name.length + value.length + 2 <= ANNOTATION_WIDTH) return [`${name}: ${value}`]
      return [`${name}:`, ...value.split('\n').map((line) => `  ${shorten(line, ANNOTATION_WIDTH - 2)}`)]
    }),
  )
}

/** The title stands before the first of the lines. */
function titled(title: string, paragraphs: readonly (readonly string[])[]): Line[] {
  const lines = paragraphs.flat()
  return (lines.length === 0 ? ['<none>'] : lines).map((text, index) => [index === 0 ? title : '', text])
}

function optional(title: string, value: string | undefined): Line[] {
  return value === undefined || value === '' ? [] : [[title, value]]
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}...` : text
}
