// SPDX-License-Identifier: Apache-2.0
/**
 * Closes connected UDP sockets that the socket hooks led to a backend which serves no more: the kernel asks the hooks only
 * at connect(), so such a socket would talk to the dead one for ever. Its owner gets ECONNABORTED and connects again.
 */

import { execFile } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { SocketKey, SocketPeer } from '../abi/generated.ts'
import type { HashMap } from '../bpf/hash-map.ts'
import { ipProtocol } from '../compiler/ip-protocol.ts'

const run = promisify(execFile)

const MAX_OUTPUT_BYTES = 16 << 20

export interface ConnectedSocket {
  /** As the kernel counts sockets, over all namespaces. */
  readonly cookie: bigint
  /** `10.0.0.1:53`, `[2001:db8::1]:53`, as ss(8) prints and reads them. */
  readonly local: string
  readonly peer: string
}

/** Reads `ss --no-header --udp --numeric --extended state established`; pure. */
export function parseConnectedSockets(output: string): ConnectedSocket[] {
  const sockets: ConnectedSocket[] = []
  for (const line of output.split('\n')) {
    const [, , local, peer] = line.trim().split(/\s+/)
    const cookie = /\bsk:([0-9a-f]+)/.exec(line)?.[1]
    if (local && peer && cookie) sockets.push({ cookie: BigInt(`0x${cookie}`), local, peer })
  }
  return sockets
}

/** A path to each network namespace that some process is in. */
async function networkNamespaces(): Promise<string[]> {
  const paths = new Map<number, string>()
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const path = `/proc/${pid}/ns/net`
    const inode = await stat(path).then(
      (stats) => stats.ino,
      () => undefined,
    )
    if (inode !== undefined && !paths.has(inode)) paths.set(inode, path)
  }
  return [...paths.values()]
}

async function ss(namespace: string, ...args: readonly string[]): Promise<string> {
  const command = [`--net=${namespace}`, '--', 'ss', '--no-header', '--udp', '--numeric', ...args]
  const { stdout } = await run('nsenter', command, { maxBuffer: MAX_OUTPUT_BYTES })
  return stdout
}

function portOf(endpoint: string): string {
  return endpoint.slice(endpoint.lastIndexOf(':') + 1)
}

function hostOf(endpoint: string): string {
  return endpoint.slice(0, endpoint.lastIndexOf(':')).replace(/%[^\]]*/, '')
}

/** INET_DIAG_DESTROY of one socket, by its whole tuple. */
async function destroy(namespace: string, { local, peer }: ConnectedSocket): Promise<void> {
  const filter = ['src', hostOf(local), 'sport', '=', portOf(local), 'dst', hostOf(peer), 'dport', '=', portOf(peer)]
  await ss(namespace, '--kill', 'state', 'established', ...filter)
}

export interface DeadSocketsOptions {
  readonly sockets: HashMap<SocketKey, SocketPeer>
  /** Whether an id still stands for this endpoint, and it serves. */
  readonly serves: (id: number, address: Uint8Array, port: number) => boolean
  /** A namespace could not be asked: gone meanwhile, or without sockets of that kind. */
  readonly onError: (namespace: string, error: unknown) => void
}

/**
 * Closes them in every network namespace; only sockets that the hooks translated are touched.
 *
 * @returns how many were closed
 */
export async function closeDeadUdpSockets({ sockets, serves, onError }: DeadSocketsOptions): Promise<number> {
  const dead = new Map<bigint, SocketKey[]>()
  for (const [key, peer] of sockets.entries()) {
    if (key.proto !== ipProtocol.UDP || serves(peer.backend, key.backend, key.port)) continue
    dead.set(key.cookie, [...(dead.get(key.cookie) ?? []), key])
  }
  if (dead.size === 0) return 0
  let closed = 0
  const gone: SocketKey[] = []
  for (const namespace of await networkNamespaces()) {
    try {
      const found = parseConnectedSockets(await ss(namespace, '--extended', 'state', 'established'))
      for (const socket of found) {
        const keys = dead.get(socket.cookie)
        if (keys === undefined || !keys.some((key) => portOf(socket.peer) === String(key.port))) continue
        await destroy(namespace, socket)
        gone.push(...keys)
        closed++
      }
    } catch (error) {
      onError(namespace, error)
    }
  }
  // Entries of unconnected sockets stay: late replies are still to be shown as the VIP's. The map forgets the oldest.
  sockets.deleteMany(gone)
  return closed
}
