// SPDX-License-Identifier: Apache-2.0
/** What is listed and watched: the same objects, by the same selectors, as kube-proxy. */
import type { ModelKind } from '../../model/normalize.ts'

export interface Resource<K extends ModelKind = ModelKind> {
  readonly kind: K
  readonly path: string
  /** Selectors, the best first: a server that does not know a field (400) is asked for more than is needed. */
  readonly selectors: readonly Readonly<Record<string, string>>[]
  /** A cluster may lack this API, or not let us see it; there are no such objects then. */
  readonly optional: boolean
}

export interface Resources {
  readonly services: Resource<'Service'>
  readonly endpointSlices: Resource<'EndpointSlice'>
  readonly nodes: Resource<'Node'>
  readonly serviceCIDRs: Resource<'ServiceCIDR'>
}

/** Services that another proxy serves (KEP-2447) and headless ones, which are DNS's, never reach the node. */
export function resourcesFor(nodeName: string): Resources {
  const ours = { labelSelector: '!service.kubernetes.io/service-proxy-name' }
  return {
    services: {
      kind: 'Service',
      path: '/api/v1/services',
      // Older API servers select Services by name and namespace only.
      selectors: [{ ...ours, fieldSelector: 'spec.clusterIP!=None' }, ours],
      optional: false,
    },
    endpointSlices: {
      kind: 'EndpointSlice',
      path: '/apis/discovery.k8s.io/v1/endpointslices',
      selectors: [{ labelSelector: '!service.kubernetes.io/headless' }],
      optional: false,
    },
    nodes: {
      kind: 'Node',
      path: '/api/v1/nodes',
      selectors: [{ fieldSelector: `metadata.name=${nodeName}` }],
      optional: false,
    },
    serviceCIDRs: {
      kind: 'ServiceCIDR',
      path: '/apis/networking.k8s.io/v1/servicecidrs',
      selectors: [{}],
      optional: true,
    },
  }
}
