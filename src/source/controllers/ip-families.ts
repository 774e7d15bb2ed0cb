// SPDX-License-Identifier: Apache-2.0
/** The IP families of a Service, as an API server would default them (KEP-563). */
import { familyOf } from '../../model/ip.ts'
import type { IpFamily, Service } from '../../model/types.ts'

/**
 * @param available The cluster's families, the primary first.
 * @returns The primary family first; `missing` says that the Service requires two and the cluster has one.
 */
export function serviceFamilies(
  service: Service,
  available: readonly IpFamily[],
): { readonly families: readonly IpFamily[]; readonly missing: boolean } {
  const { clusterIPs, ipFamilies = [], ipFamilyPolicy } = service.spec
  const addresses = clusterIPs.filter((address) => address !== 'None')
  const asked = [...new Set([...addresses.map(familyOf), ...ipFamilies])]
  const policy = ipFamilyPolicy ?? (asked.length > 1 ? 'RequireDualStack' : 'SingleStack')
  const first = asked[0] ?? available[0] ?? 'IPv4'
  if (policy === 'SingleStack') return { families: [first], missing: false }
  const others = [...asked, ...available].filter((family) => family !== first && available.includes(family))
  const families = [...new Set([first, ...others])]
  return { families, missing: policy === 'RequireDualStack' && families.length < 2 }
}
