// SPDX-License-Identifier: Apache-2.0
/** The picture that plans ask for. */

import { formatEndpoint, parseAddress } from '../../abi/address.ts'
import { parseCidr } from '../../abi/cidr.ts'
import type { BackendSetPlan, FrontendPlan, PortPlan, ServicePlan } from '../../model/types.ts'
import { formatPrefix } from './format-prefix.ts'
import type { FrontendPicture, Picture, SetPicture } from './picture.ts'

export function pictureOfPlans(plans: Iterable<ServicePlan>): Picture {
  const picture = new Map<string, FrontendPicture>()
  for (const plan of plans) {
    for (const port of plan.ports) {
      for (const frontend of port.frontends) {
        picture.set(`${endpoint(frontend)}/${port.protocol}`, frontendPicture(plan, port, frontend))
      }
    }
  }
  return picture
}

function frontendPicture(plan: ServicePlan, port: PortPlan, frontend: FrontendPlan): FrontendPicture {
  return {
    service: `${plan.namespace}/${plan.name}${port.portName === '' ? '' : `:${port.portName}`}`,
    kind: frontend.kind,
    internal: setPicture(frontend.internal),
    external: setPicture(frontend.external),
    affinitySeconds: plan.affinitySeconds,
    loopback: frontend.loopback,
    sourceRanges: frontend.sourceRanges?.map(canonicalRange).sort() ?? null,
  }
}

function setPicture({ backends, empty }: BackendSetPlan): SetPicture {
  if (backends.length === 0) return empty
  return backends.map((backend) => `${endpoint(backend)}${backend.local ? ' local' : ''}`).sort()
}

function endpoint({ address, port }: { readonly address: string; readonly port: number }): string {
  return formatEndpoint(parseAddress(address), port)
}

/** Host bits cleared, as the map has it. */
function canonicalRange(range: string): string {
  const { address, bits } = parseCidr(range)
  return formatPrefix(address, bits)
}
