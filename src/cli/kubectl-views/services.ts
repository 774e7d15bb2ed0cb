// SPDX-License-Identifier: Apache-2.0
/** `kubectl get services`. */

import type { Service } from '../../model/types.ts'
import { ageOf } from './age.ts'
import { formatLabels, type KubectlView } from './kubectl-view.ts'

/** Longer lists of load balancers' addresses are cut, but for `-o wide`. */
const INGRESS_WIDTH = 16

export const servicesView: KubectlView<Service> = {
  apiVersion: 'v1',
  kind: 'Service',
  plural: 'services',
  objects: ({ objects }) => objects.services.values(),
  columns: [
    { title: 'NAME', cell: ({ metadata }) => metadata.name },
    { title: 'TYPE', cell: ({ spec }) => spec.type },
    { title: 'CLUSTER-IP', cell: ({ spec }) => spec.clusterIPs[0] ?? '<none>' },
    { title: 'EXTERNAL-IP', cell: (service, { wide }) => externalAddresses(service, wide) },
    { title: 'PORT(S)', cell: portList },
    { title: 'AGE', cell: ({ metadata }, { nowMs }) => ageOf(metadata, nowMs) },
    { title: 'SELECTOR', cell: ({ spec }) => formatLabels(spec.selector), wide: true },
  ],
}

function externalAddresses({ spec, status }: Service, wide: boolean): string {
  if (spec.type === 'ExternalName') return spec.externalName ?? ''
  if (spec.type !== 'LoadBalancer') return spec.externalIPs.join(',') || '<none>'
  const ingress = status.loadBalancer.ingress.map(({ ip, hostname }) => ip ?? hostname ?? '')
  const all = [...new Set(ingress.filter((address) => address !== ''))].sort().join(',')
  const shown = !wide && all.length > INGRESS_WIDTH ? `${all.slice(0, INGRESS_WIDTH - 3)}...` : all
  return [shown, ...spec.externalIPs].filter((text) => text !== '').join(',') || '<pending>'
}

function portList({ spec }: Service): string {
  const ports = spec.ports.map(
    ({ port, nodePort, protocol }) => `${port}${nodePort > 0 ? `:${nodePort}` : ''}/${protocol}`,
  )
  return ports.join(',') || '<none>'
}
