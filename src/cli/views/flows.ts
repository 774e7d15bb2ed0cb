// SPDX-License-Identifier: Apache-2.0
/** `get flows`: connections that are translated, the client's direction of each. */

import { formatEndpoint } from '../../abi/address.ts'
import { type Flow, FlowFlags, type FlowKey, flowFlagsNames, flowStateNames } from '../../abi/generated.ts'
import { protocolName } from '../../compiler/ip-protocol.ts'
import { formatSeconds, secondsSince } from '../live/duration.ts'
import type { Live } from '../live/live.ts'
import { flagWords, kindWord } from '../live/words.ts'
import type { View } from './view.ts'

export interface FlowRow {
  readonly protocol: string
  readonly client: string
  /** The address that the client called. */
  readonly frontend: string
  readonly kind: string
  readonly backend: string
  readonly backendId: number
  /** What the backend sees as the client. */
  readonly source: string
  /** `namespace/name`. */
  readonly service: string
  /** `namespace/name:port`. */
  readonly servicePort: string
  readonly flags: readonly string[]
  readonly state: readonly string[]
  readonly idleSeconds: number
}

export const flowsView: View<FlowRow> = {
  none: 'No flows',
  columns: [
    { title: 'protocol', cell: (row) => row.protocol },
    { title: 'client', cell: (row) => row.client },
    { title: 'frontend', cell: (row) => row.frontend },
    { title: 'backend', cell: (row) => row.backend },
    { title: 'source', cell: (row) => (row.source === row.client ? '' : row.source) },
    { title: 'service', cell: (row) => row.servicePort },
    { title: 'flags', cell: (row) => row.flags.join(',') },
    { title: 'state', cell: (row) => row.state.join(',') },
    { title: 'idle', cell: (row) => formatSeconds(row.idleSeconds), align: 'right' },
  ],
  rows: (live) =>
    [...live.maps.flows.entries()]
      .filter(([, flow]) => (flow.flags & FlowFlags.FLOW_F_REPLY) === 0)
      .map(([key, flow]) => flowRow(live, key, flow))
      .sort((a, b) => a.idleSeconds - b.idleSeconds || (a.client < b.client ? -1 : 1)),
  services: (row) => [row.service],
}

function flowRow({ names }: Live, key: FlowKey, flow: Flow): FlowRow {
  return {
    protocol: protocolName(key.proto),
    client: formatEndpoint(key.src, key.sport),
    frontend: formatEndpoint(key.dst, key.dport),
    kind: kindWord(flow.kind),
    backend: formatEndpoint(flow.dst, flow.dport),
    backendId: flow.backend,
    source: formatEndpoint(flow.src, flow.sport),
    service: names.service(flow.service),
    servicePort: names.servicePort(flow.service),
    flags: flagWords(flow.flags, flowFlagsNames, 'FLOW_F_'),
    state: flagWords(flow.state, flowStateNames, 'FLOW_'),
    idleSeconds: secondsSince(flow.seenNs),
  }
}
