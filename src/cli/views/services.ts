// SPDX-License-Identifier: Apache-2.0
/** `get services`: the ports of Services, who they lead to, and their traffic. */

import { compareAddresses, formatEndpoint } from '../../abi/address.ts'
import { type Frontend, type FrontendKey, FrontendKind } from '../../abi/generated.ts'
import { protocolName } from '../../compiler/ip-protocol.ts'
import type { Live } from '../live/live.ts'
import { kindWord } from '../live/words.ts'
import { isWildcard } from './frontends.ts'
import type { View } from './view.ts'

export interface ServiceRow {
  /** `namespace/name`. */
  readonly service: string
  /** '' for a port without a name. */
  readonly port: string
  readonly id: number
  readonly protocol: string
  readonly frontends: readonly { readonly frontend: string; readonly kind: string }[]
  /** Distinct backends of all its frontends' sets. */
  readonly backends: number
  readonly flows: bigint
  readonly packets: bigint
  readonly bytes: bigint
  /** Packets and connects that were rejected or dropped. */
  readonly refused: bigint
}

export const servicesView: View<ServiceRow> = {
  none: 'No services',
  columns: [
    { title: 'service', cell: (row) => row.service },
    { title: 'port', cell: (row) => row.port },
    { title: 'protocol', cell: (row) => row.protocol },
    { title: 'frontend', cell: ({ frontends }) => frontends[0]?.frontend ?? '' },
    {
      title: 'more',
      cell: ({ frontends }) => (frontends.length > 1 ? `+${frontends.length - 1}` : ''),
      align: 'right',
    },
    { title: 'backends', cell: (row) => row.backends, align: 'right' },
    { title: 'flows', cell: (row) => row.flows, align: 'right' },
    { title: 'packets', cell: (row) => row.packets, align: 'right' },
    { title: 'bytes', cell: (row) => row.bytes, align: 'right' },
    { title: 'refused', cell: (row) => row.refused, align: 'right' },
  ],
  rows: readServices,
  services: (row) => [row.service],
}

function readServices({ maps, names, sets }: Live): ServiceRow[] {
  const frontends = frontendsByService(maps.frontends.entries())
  const rows = [...names.ports].map(([id, { portName }]): ServiceRow => {
    const own = frontends.get(id) ?? []
    const { flows, packets, bytes, refused } = maps.service_stats.sum(id)
    const backends = new Set(own.flatMap(([, frontend]) => frontend.sets.flatMap((set) => sets.backends(set))))
    return {
      service: names.service(id),
      port: portName,
      id,
      protocol: own[0] === undefined ? '' : protocolName(own[0][0].proto),
      frontends: own.map(([key, { kind }]) => ({ frontend: formatEndpoint(key.addr, key.port), kind: kindWord(kind) })),
      backends: backends.size,
      ...{ flows, packets, bytes, refused },
    }
  })
  return rows.sort((a, b) => compare(a.service, b.service) || compare(a.port, b.port))
}

/** By the id of the Service port; ClusterIPs first. */
function frontendsByService(entries: Iterable<[FrontendKey, Frontend]>): Map<number, [FrontendKey, Frontend][]> {
  const byService = new Map<number, [FrontendKey, Frontend][]>()
  for (const entry of entries) {
    if (isWildcard(entry[1])) continue
    const known = byService.get(entry[1].service)
    if (known === undefined) byService.set(entry[1].service, [entry])
    else known.push(entry)
  }
  for (const list of byService.values())
    list.sort(([a, x], [b, y]) => rank(x) - rank(y) || compareAddresses(a.addr, b.addr))
  return byService
}

/** NodePorts, one an address of the node, say least. */
function rank({ kind }: Frontend): number {
  return kind === FrontendKind.FE_NODE_PORT ? Number.MAX_SAFE_INTEGER : kind
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
