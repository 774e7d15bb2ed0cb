// SPDX-License-Identifier: Apache-2.0
/** `kubectl get endpointslices`. */

import type { EndpointSlice } from '../../model/types.ts'
import { ageOf } from './age.ts'
import { type KubectlView, shortList } from './kubectl-view.ts'

export const endpointSlicesView: KubectlView<EndpointSlice> = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices.discovery.k8s.io',
  objects: ({ objects }) => objects.endpointSlices.values(),
  columns: [
    { title: 'NAME', cell: ({ metadata }) => metadata.name },
    { title: 'ADDRESSTYPE', cell: ({ addressType }) => addressType },
    { title: 'PORTS', cell: ({ ports }) => shortList(ports.map(portText)) || '<unset>' },
    {
      title: 'ENDPOINTS',
      cell: ({ endpoints }) => shortList(endpoints.flatMap(({ addresses }) => addresses)) || '<unset>',
    },
    { title: 'AGE', cell: ({ metadata }, { nowMs }) => ageOf(metadata, nowMs) },
  ],
}

function portText({ port, name }: EndpointSlice['ports'][number]): string {
  return port === undefined ? name || '*' : String(port)
}
