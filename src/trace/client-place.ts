// SPDX-License-Identifier: Apache-2.0
/** Where a client is, by its address, where nobody says. */

import { formatAddress } from '../abi/address.ts'
import { cidrContains, isLoopback, parseCidr } from '../model/ip.ts'
import type { ClientPlace, Endpoint } from './trace-packet.ts'

export interface Neighbourhood {
  /** Canonical addresses of this node. */
  readonly nodeAddresses: Iterable<string>
  /** Ranges of pods, as CIDRs. */
  readonly podCidrs: readonly string[]
  /** Canonical addresses of pods and endpoints on this node. */
  readonly podAddresses: Iterable<string>
}

/** An address of the node or a loopback one: the host; one of a pod here, or in the pods' ranges: a pod; else outside. */
export function placeByAddress(neighbourhood: Neighbourhood): (source: Endpoint) => ClientPlace {
  const hosts = new Set(neighbourhood.nodeAddresses)
  const pods = new Set(neighbourhood.podAddresses)
  const ranges = neighbourhood.podCidrs.flatMap((text) => parseCidr(text) ?? [])
  return ({ address }) => {
    const text = formatAddress(address)
    if (isLoopback(text) || hosts.has(text)) return 'host'
    return pods.has(text) || ranges.some((range) => cidrContains(range, text)) ? 'pod' : 'external'
  }
}
