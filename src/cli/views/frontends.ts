// SPDX-License-Identifier: Apache-2.0
/** `get frontends`: what clients may call. */

import { compareAddresses, formatAddress, formatEndpoint } from '../../abi/address.ts'
import {
  type BackendSet,
  type Frontend,
  FrontendFlags,
  type FrontendKey,
  frontendFlagsNames,
} from '../../abi/generated.ts'
import { protocolName } from '../../compiler/ip-protocol.ts'
import type { BackendSets } from '../live/backend-sets.ts'
import { emptyWord, flagWords, kindWord } from '../live/words.ts'
import type { View } from './view.ts'

/** Number of backends; what a client meets instead where there is none. */
type SetSize = number | 'reject' | 'drop'

export interface FrontendRow {
  readonly frontend: string
  /** null: every protocol, which is the entry of the address as a whole. */
  readonly protocol: string | null
  readonly kind: string
  /** `namespace/name`. */
  readonly service: string
  /** `namespace/name:port`. */
  readonly servicePort: string
  readonly internal: SetSize
  readonly external: SetSize
  /** Seconds; 0 without affinity. */
  readonly affinitySeconds: number
  readonly flags: readonly string[]
}

export const frontendsView: View<FrontendRow> = {
  none: 'No frontends',
  columns: [
    { title: 'frontend', cell: (row) => row.frontend },
    { title: 'protocol', cell: (row) => row.protocol ?? '*' },
    { title: 'kind', cell: (row) => row.kind },
    { title: 'service', cell: (row) => row.servicePort },
    { title: 'internal', cell: (row) => row.internal, align: 'right' },
    { title: 'external', cell: (row) => row.external, align: 'right' },
    { title: 'affinity', cell: (row) => (row.affinitySeconds === 0 ? '' : `${row.affinitySeconds}s`), align: 'right' },
    { title: 'flags', cell: (row) => row.flags.join(',') },
  ],
  rows: ({ maps, names, sets }) =>
    [...maps.frontends.entries()]
      .sort(([a], [b]) => compareAddresses(a.addr, b.addr) || a.port - b.port || a.proto - b.proto)
      .map(([key, frontend]) => ({
        ...frontendName(key, frontend),
        kind: kindWord(frontend.kind),
        service: names.service(frontend.service),
        servicePort: isWildcard(frontend) ? names.service(frontend.service) : names.servicePort(frontend.service),
        internal: setSize(sets, frontend, 0),
        external: setSize(sets, frontend, 1),
        affinitySeconds: frontend.affinityS,
        flags: flagWords(frontend.flags & ~FrontendFlags.FE_F_WILDCARD, frontendFlagsNames, 'FE_F_'),
      })),
  services: (row) => [row.service],
}

/** The entry of an address as a whole, which has no backends. */
export function isWildcard({ flags }: Frontend): boolean {
  return (flags & FrontendFlags.FE_F_WILDCARD) !== 0
}

function frontendName(key: FrontendKey, frontend: Frontend): Pick<FrontendRow, 'frontend' | 'protocol'> {
  if (!isWildcard(frontend)) return { frontend: formatEndpoint(key.addr, key.port), protocol: protocolName(key.proto) }
  const address = formatAddress(key.addr)
  return { frontend: address.includes(':') ? `[${address}]:*` : `${address}:*`, protocol: null }
}

function setSize(sets: BackendSets, frontend: Frontend, scope: number): SetSize {
  const set = frontend.sets[scope] as BackendSet
  return set.slots === 0 ? emptyWord(set.empty) : sets.backends(set).length
}
