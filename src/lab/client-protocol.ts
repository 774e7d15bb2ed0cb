// SPDX-License-Identifier: Apache-2.0
/** What a test's process and its client processes in the lab's namespaces say to each other. */

import type { DemoAnswer, Peer } from '../demo/answer.ts'

/** Where a client connects, and from where. */
export interface ClientTarget {
  readonly proto: 'tcp' | 'udp'
  readonly address: string
  readonly port: number
  /** Default: the kernel's choice. */
  readonly sourceAddress?: string
  readonly sourcePort?: number
  /** UDP: connect the socket, so that refusals reach it and getpeername works. Default true. */
  readonly connected?: boolean
  /** Default 3000. */
  readonly timeoutMs?: number
}

export interface ClientQuestion {
  /** Length of the HTTP request's body, or of the datagram. */
  readonly sendBytes?: number
  /** Least length of the answer. */
  readonly answerBytes?: number
  /** Unconnected UDP: asks another address than the one that was opened. */
  readonly to?: Peer
  /** Default 3000. */
  readonly timeoutMs?: number
}

/** What a client got, and how the connection looks from its side. */
export interface ClientAnswer extends DemoAnswer {
  /** The socket's own end. */
  readonly local: Peer
  /** Whom the socket believes it talks to: the peer's name, or the datagram's sender. */
  readonly peer: Peer
  /** Length of the answer. */
  readonly answerBytes: number
}

export type ClientCommand =
  | { readonly op: 'open'; readonly id: number; readonly connection: number; readonly target: ClientTarget }
  | { readonly op: 'ask'; readonly id: number; readonly connection: number; readonly question: ClientQuestion }
  | { readonly op: 'close'; readonly id: number; readonly connection: number }

export type ClientReply =
  | { readonly id: number; readonly answer: ClientAnswer | undefined }
  /** The code is the system's (ECONNREFUSED) or ETIMEDOUT. */
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } }

export const defaultTimeoutMs = 3000
