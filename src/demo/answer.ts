// SPDX-License-Identifier: Apache-2.0
/** What the demo server says: who answered, and whom it saw asking. */

/** An address and a port as a socket shows them; IPv4 is never in its mapped form. */
export interface Peer {
  readonly address: string
  readonly port: number
}

/** The JSON form of an answer, over HTTP (`/api`) and UDP alike. */
export interface DemoAnswer {
  readonly pod: string
  readonly node: string
  readonly protocol: 'TCP' | 'UDP'
  /** The server's own end: the pod's address and port, never the Service's. */
  readonly server: Peer
  /** The client's address as it reached the pod: another one than the client's own after masquerading. */
  readonly client: Peer
  /** Bytes of the request's body or datagram. */
  readonly received: number
}

/** `address:port`, with brackets around IPv6. */
export function formatPeer(peer: Peer): string {
  return peer.address.includes(':') ? `[${peer.address}]:${peer.port}` : `${peer.address}:${peer.port}`
}

/** The text form, line by line like the well-known whoami. */
export function formatAnswer(answer: DemoAnswer): string {
  return [
    `Hostname: ${answer.pod}`,
    `Node: ${answer.node}`,
    `IP: ${answer.server.address}`,
    `Port: ${answer.server.port}/${answer.protocol}`,
    `RemoteAddr: ${formatPeer(answer.client)}`,
    '',
  ].join('\n')
}
