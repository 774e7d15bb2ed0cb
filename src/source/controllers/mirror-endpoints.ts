// SPDX-License-Identifier: Apache-2.0
/** Endpoints written by hand become EndpointSlices, as a cluster's endpointslicemirroring controller does it. */
import { defined } from '../../model/fields.ts'
import { familyOf } from '../../model/ip.ts'
import { SERVICE_NAME_LABEL } from '../../model/slice-index.ts'
import type { EndpointSlice, Service, SliceEndpoint } from '../../model/types.ts'
import type { Endpoints } from '../endpoints.ts'

const SKIP_LABEL = 'endpointslice.kubernetes.io/skip-mirror'
const LEADER_ANNOTATION = 'control-plane.alpha.kubernetes.io/leader'
const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by'
const MANAGER = 'endpointslicemirroring-controller.k8s.io'

/** Slices of one Endpoints object, one for each subset and family; none where a selector or a label says otherwise. */
export function mirrorEndpoints(endpoints: Endpoints, service: Service | undefined): EndpointSlice[] {
  const { metadata } = endpoints
  const selected = Object.keys(service?.spec.selector ?? {}).length > 0
  if (!service || selected || metadata.labels?.[SKIP_LABEL] === 'true') return []
  if (metadata.annotations?.[LEADER_ANNOTATION] !== undefined) return []
  return endpoints.subsets.flatMap((subset, index) =>
    (['IPv4', 'IPv6'] as const).flatMap((family): EndpointSlice[] => {
      const addresses = subset.addresses.filter(({ ip }) => familyOf(ip) === family)
      if (addresses.length === 0) return []
      const labels = { ...metadata.labels, [SERVICE_NAME_LABEL]: metadata.name, [MANAGED_BY_LABEL]: MANAGER }
      return [
        {
          metadata: { ...metadata, name: `${metadata.name}-endpoints-${family.toLowerCase()}-${index}`, labels },
          addressType: family,
          endpoints: addresses.map(({ ip, ready, hostname, nodeName }) =>
            defined<SliceEndpoint>({ addresses: [ip], conditions: { ready }, hostname, nodeName } as SliceEndpoint),
          ),
          ports: subset.ports,
        },
      ]
    }),
  )
}
