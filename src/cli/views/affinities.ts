// SPDX-License-Identifier: Apache-2.0
/** `get affinities`: which backend a client stays with (sessionAffinity: ClientIP). */

import { formatAddress } from '../../abi/address.ts'
import { formatSeconds, secondsSince } from '../live/duration.ts'
import type { View } from './view.ts'

export interface AffinityRow {
  /** `namespace/name`; '' when the Service is gone. */
  readonly service: string
  readonly client: string
  readonly backend: string
  /** Since the client was last seen. */
  readonly idleSeconds: number
}

export const affinitiesView: View<AffinityRow> = {
  none: 'No affinities',
  columns: [
    { title: 'service', cell: (row) => row.service },
    { title: 'client', cell: (row) => row.client },
    { title: 'backend', cell: (row) => row.backend },
    { title: 'idle', cell: (row) => formatSeconds(row.idleSeconds), align: 'right' },
  ],
  rows: ({ maps, names }) =>
    Array.from(maps.affinities.entries(), ([{ affinityId, client }, { backend, seenNs }]) => ({
      service: names.ofAffinity(affinityId),
      client: formatAddress(client),
      backend: formatAddress(backend),
      idleSeconds: secondsSince(seenNs),
    })).sort((a, b) => (a.service === b.service ? a.idleSeconds - b.idleSeconds : a.service < b.service ? -1 : 1)),
  services: (row) => [row.service],
}
