// SPDX-License-Identifier: Apache-2.0
/** `kubectl get services`. */

import type { Service } from '../../model/types.ts'
import { ageOf } from './age.ts'
import { formatLabels, type KubectlView } from './kubectl-view.ts'

export const servicesView: KubectlView<Service> = {
  apiVersion: 'v1',
  kind: 'Service',
  plural: 'services',
  objects: ({ objects }) => objects.services.values(),
  columns: [
    { title: 'NAME', cell: ({ metadata }) => metadata.name },
    { title: 'TYPE', cell: ({ spec }) => spec.type },
    { title: 'CLUSTER-IP', cell: ({ spec }) => spec.clusterIPs[0] ?? '<none>' },
    { title: 'EXTERNAL-IP', cell: externalAddresses },
    { title: 'PORT(S)', cell: portList },
    { title: 'AGE', cell: ({ metadata }, { nowMs }) => ageOf(metadata, nowMs) },
    { title: 'SELECTOR', cell: ({ spec }) => formatLabels(spec.selector), wide: true },
  ],
}

function externalAddresses({ spec, status }: Service): string {
  if (spec.type === 'ExternalName') return spec.externalName ?? ''
  if (spec.type !== 'LoadBalancer') return spec.externalIPs.join(',') || '<none>'
  const ingress = status.loadBalancer.ingress.map(({ ip, hostname }) => ip ?? hostname ?? '')
  const all = [...new Set(ingress.filter((address) => address !== ''))].sort()
  return [...all, ...spec.externalIPs].join(',') || '<pending>'
}

function portList({ spec }: Service): string {
  const ports = spec.ports.map(
    ({ port, nodePort, protocol }) => `${port}${nodePort > 0 ? `:${nodePort}` : ''}/${protocol}`,
  )
  return ports.join(',') || '<none>'
}
