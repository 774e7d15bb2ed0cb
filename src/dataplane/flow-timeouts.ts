// SPDX-License-Identifier: Apache-2.0
/** How long a flow may be silent before it is forgotten. */

import { FlowState } from '../abi/generated.ts'
import { ipProtocol } from '../compiler/ip-protocol.ts'

/** Seconds. */
export interface FlowTimeouts {
  /** RST, or both FINs: late duplicates still find it. */
  readonly tcpClosed: number
  /** One FIN; kube-proxy's conntrack.tcpCloseWaitTimeout. */
  readonly tcpHalfClosed: number
  /** kube-proxy's conntrack.tcpEstablishedTimeout. */
  readonly tcpEstablished: number
  /** nf_conntrack_tcp_timeout_syn_sent. */
  readonly tcpUnanswered: number
  /** nf_conntrack_udp_timeout_stream. */
  readonly udpAnswered: number
  /** nf_conntrack_udp_timeout. */
  readonly udpUnanswered: number
  /** nf_conntrack_sctp_timeout_established. */
  readonly sctp: number
}

export const DEFAULT_FLOW_TIMEOUTS: FlowTimeouts = {
  tcpClosed: 10,
  tcpHalfClosed: 3_600,
  tcpEstablished: 86_400,
  tcpUnanswered: 120,
  udpAnswered: 180,
  udpUnanswered: 30,
  sctp: 432_000,
}

const CLOSED = FlowState.FLOW_FIN | FlowState.FLOW_PEER_FIN

/** Seconds of silence that a flow in this state may keep. */
export function idleLimit(protocol: number, state: number, timeouts: FlowTimeouts): number {
  const answered = (state & FlowState.FLOW_SEEN_REPLY) !== 0
  if (protocol === ipProtocol.UDP) return answered ? timeouts.udpAnswered : timeouts.udpUnanswered
  if (protocol !== ipProtocol.TCP) return timeouts.sctp
  if (state & FlowState.FLOW_RST || (state & CLOSED) === CLOSED) return timeouts.tcpClosed
  if (!answered) return timeouts.tcpUnanswered
  return state & CLOSED ? timeouts.tcpHalfClosed : timeouts.tcpEstablished
}
