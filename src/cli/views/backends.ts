// SPDX-License-Identifier: Apache-2.0
/** `get backends`: endpoints by id. */

import { formatEndpoint } from '../../abi/address.ts'
import { type Backend, BackendFlags } from '../../abi/generated.ts'
import { protocolName } from '../../compiler/ip-protocol.ts'
import type { View } from './view.ts'

export interface BackendRow {
  readonly id: number
  readonly backend: string
  readonly protocol: string
  /** `namespace/name`; '' when the Service is gone. */
  readonly service: string
  /** On this node. */
  readonly local: boolean
  /** Not serving: removed, its id rests until no flow can mistake it. */
  readonly serving: boolean
}

export const backendsView: View<BackendRow> = {
  none: 'No backends',
  columns: [
    { title: 'id', cell: (row) => row.id, align: 'right' },
    { title: 'backend', cell: (row) => row.backend },
    { title: 'protocol', cell: (row) => row.protocol },
    { title: 'service', cell: (row) => row.service },
    { title: 'where', cell: (row) => (row.local ? 'this node' : 'elsewhere') },
    { title: 'state', cell: (row) => (row.serving ? 'serving' : 'removed') },
  ],
  rows: ({ maps, names }) =>
    Array.from(presentBackends(maps.backends), ([id, backend]) => ({
      id,
      backend: formatEndpoint(backend.addr, backend.port),
      protocol: protocolName(backend.proto),
      service: names.ofAffinity(backend.affinityId),
      local: (backend.flags & BackendFlags.BE_F_LOCAL) !== 0,
      serving: (backend.flags & BackendFlags.BE_F_SERVING) !== 0,
    })),
  services: (row) => [row.service],
}

/** The elements that stand for a backend; the others are zero. */
export function* presentBackends(backends: {
  readonly length: number
  readonly stride: number
  readonly words: Uint32Array
  get(id: number): Backend
}): Generator<[id: number, backend: Backend]> {
  const step = backends.stride / Uint32Array.BYTES_PER_ELEMENT
  for (let id = 1; id < backends.length; id++) {
    // Decoding each of some hundred thousand elements would take longer than to look at their words.
    if (backends.words.subarray(id * step, (id + 1) * step).some((word) => word !== 0)) yield [id, backends.get(id)]
  }
}
