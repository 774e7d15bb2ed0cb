// SPDX-License-Identifier: Apache-2.0
/** Blocking sockets by their system calls: a call into libc costs two microseconds, so a hundred thousand are soon made. */

import { closeSync } from 'node:fs'
import koffi from 'koffi'
import type { Address } from '../../../src/abi/address.ts'
import { isIpv4 } from '../../../src/abi/address.ts'
import { check } from '../../../src/ffi/check.ts'
import { bindSocket, openSocket } from '../../../src/ffi/libc.ts'
import { library } from '../../../src/ffi/library.ts'

const libc = library('libc.so.6', 'maglane runs on Linux with glibc', (bind) => ({
  connect: bind<(fd: number, address: Uint8Array, length: number) => number>('connect', 'int', [
    'int',
    'void *',
    'uint32_t',
  ]),
  listen: bind<(fd: number, backlog: number) => number>('listen', 'int', ['int', 'int']),
  accept: bind<(fd: number, address: null, length: null) => number>('accept', 'int', ['int', 'void *', 'void *']),
  setsockopt: bind<(fd: number, level: number, option: number, value: Uint8Array, length: number) => number>(
    'setsockopt',
    'int',
    ['int', 'int', 'int', 'void *', 'uint32_t'],
  ),
  sendto: bind<
    (fd: number, data: Uint8Array, size: number, flags: number, address: Uint8Array, length: number) => number | bigint
  >('sendto', 'int64_t', ['int', 'void *', 'size_t', 'int', 'void *', 'uint32_t']),
}))

// bits/socket.h, asm-generic/socket.h
const AF_INET = 2
const AF_INET6 = 10
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOL_SOCKET = 1
const SO_LINGER = 13

function status(result: number | bigint): number {
  return Number(result) === -1 ? -koffi.errno() : Number(result)
}

/** struct sockaddr_in or sockaddr_in6. */
export function socketAddress(address: Address, port: number): Uint8Array {
  const v4 = isIpv4(address)
  const bytes = new Uint8Array(v4 ? 16 : 28)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, v4 ? AF_INET : AF_INET6, true)
  view.setUint16(2, port)
  bytes.set(v4 ? address.subarray(12) : address, v4 ? 4 : 8)
  return bytes
}

function open(address: Uint8Array, type: number): number {
  return openSocket(address[0] as number, type, 0, 'a socket of the bench')
}

/** A TCP socket that listens. */
export function listenOn(address: Uint8Array): number {
  const fd = open(address, SOCK_STREAM)
  bindSocket(fd, address, 'the listener')
  check('listen', status(libc().listen(fd, 128)), 'the listener')
  return fd
}

/** Connects, has the listener accept, and resets: nothing of the connection is left, no TIME_WAIT either. */
export function connectTcp(address: Uint8Array, listener: number): void {
  const fd = open(address, SOCK_STREAM)
  check('connect', status(libc().connect(fd, address, address.length)), 'TCP')
  const accepted = check('accept', status(libc().accept(listener, null, null)), 'TCP')
  // struct linger { l_onoff 1, l_linger 0 }
  const linger = new Uint8Array(8)
  linger[0] = 1
  check('setsockopt', status(libc().setsockopt(fd, SOL_SOCKET, SO_LINGER, linger, linger.length)), 'SO_LINGER')
  closeSync(fd)
  closeSync(accepted)
}

/** Connects a new UDP socket; nothing is sent. */
export function connectUdp(address: Uint8Array): void {
  const fd = open(address, SOCK_DGRAM)
  check('connect', status(libc().connect(fd, address, address.length)), 'UDP')
  closeSync(fd)
}

/** An unconnected UDP socket. */
export function openUdp(address: Uint8Array): number {
  return open(address, SOCK_DGRAM)
}

/** Sends a byte; that nobody listens is none of its business. */
export function sendUdp(fd: number, address: Uint8Array): void {
  libc().sendto(fd, new Uint8Array(1), 1, 0, address, address.length)
}
