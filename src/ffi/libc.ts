// SPDX-License-Identifier: Apache-2.0
/** What Node does not offer of libc: mapped memory, network namespaces, netlink sockets, mounts. */

import { closeSync, openSync } from 'node:fs'
import koffi from 'koffi'
import { check, type Pointer } from './check.ts'
import { library } from './library.ts'

const libc = library('libc.so.6', 'maglane runs on Linux with glibc', (bind) => ({
  mmap: bind<(address: null, length: number, prot: number, flags: number, fd: number, offset: number) => Pointer>(
    'mmap',
    'void *',
    ['void *', 'size_t', 'int', 'int', 'int', 'int64_t'],
  ),
  munmap: bind<(address: Pointer, length: number) => number>('munmap', 'int', ['void *', 'size_t']),
  getpagesize: bind<() => number>('getpagesize', 'int', []),
  ifNametoindex: bind<(name: string) => number>('if_nametoindex', 'uint32_t', ['str']),
  socket: bind<(domain: number, type: number, protocol: number) => number>('socket', 'int', ['int', 'int', 'int']),
  bind: bind<(fd: number, address: Uint8Array, length: number) => number>('bind', 'int', ['int', 'void *', 'uint32_t']),
  recv: bind<(fd: number, buffer: Uint8Array, length: number, flags: number) => number | bigint>('recv', 'int64_t', [
    'int',
    'void *',
    'size_t',
    'int',
  ]),
  getsockopt: bind<(fd: number, level: number, option: number, value: Uint8Array, length: [number]) => number>(
    'getsockopt',
    'int',
    ['int', 'int', 'int', 'void *', koffi.inout(koffi.pointer('uint32_t'))],
  ),
  setns: bind<(fd: number, type: number) => number>('setns', 'int', ['int', 'int']),
  mount: bind<(source: string, target: string, type: string, flags: number, data: null) => number>('mount', 'int', [
    'str',
    'str',
    'str',
    'ulong',
    'void *',
  ]),
}))

// asm-generic/mman-common.h, bits/socket.h, asm-generic/socket.h, linux/sched.h
const PROT_READ = 1
const PROT_WRITE = 2
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MAP_ANONYMOUS = 0x20
const MAP_NORESERVE = 0x4000
const MAP_FAILED = 0xffff_ffff_ffff_ffffn
const AF_INET = 2
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0x80000
const SOL_SOCKET = 1
const SO_NETNS_COOKIE = 71
const CLONE_NEWNET = 0x40000000

/** libc reports by -1 and errno; libbpf by -errno. One form for {@link check}. */
function status(result: number): number {
  return result === -1 ? -koffi.errno() : result
}

/** Memory that is mapped into the process. `bytes` must not be used after {@link MappedMemory.unmap}. */
export interface MappedMemory {
  readonly pointer: bigint
  readonly bytes: ArrayBuffer
  /** Releases the memory; a second call does nothing. */
  unmap(): void
}

/** Maps `length` bytes of a file descriptor, shared. */
export function mapFile(
  fd: number,
  length: number,
  options: { readonly writable: boolean; readonly offset?: number },
  context: string,
): MappedMemory {
  const prot = options.writable ? PROT_READ | PROT_WRITE : PROT_READ
  return mapped(libc().mmap(null, length, prot, MAP_SHARED, fd, options.offset ?? 0), length, context)
}

/** Maps `length` zero bytes that cost nothing before they are touched and stay where they are: for what the kernel writes to. */
export function mapAnonymous(length: number): MappedMemory {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
  return mapped(libc().mmap(null, length, PROT_READ | PROT_WRITE, flags, -1, 0), length, `${length} bytes`)
}

function mapped(result: Pointer, length: number, context: string): MappedMemory {
  const pointer = check('mmap', result === MAP_FAILED ? null : result, context)
  let live = true
  return {
    pointer,
    bytes: koffi.view(pointer, length),
    unmap() {
      if (live) check('munmap', status(libc().munmap(pointer, length)), context)
      live = false
    },
  }
}

/** Bytes of a page of memory. */
export function pageSize(): number {
  return libc().getpagesize()
}

/** The index of a network device in the calling thread's network namespace; undefined when there is none of that name. */
export function interfaceIndex(name: string): number | undefined {
  return libc().ifNametoindex(name) || undefined
}

/** socket(2); the caller closes it. */
export function openSocket(domain: number, type: number, protocol: number, context: string): number {
  return check('socket', status(libc().socket(domain, type | SOCK_CLOEXEC, protocol)), context)
}

/** bind(2) to a sockaddr in bytes. */
export function bindSocket(fd: number, address: Uint8Array, context: string): void {
  check('bind', status(libc().bind(fd, address, address.length)), context)
}

/** recv(2): the number of bytes, or -errno; EAGAIN and ENOBUFS are everyday answers of netlink, so it does not throw. */
export function receive(fd: number, buffer: Uint8Array, flags: number): number {
  return status(Number(libc().recv(fd, buffer, buffer.length, flags)))
}

/** The cookie of the calling thread's network namespace, as bpf_get_netns_cookie() tells it (SO_NETNS_COOKIE, Linux 5.14). */
export function networkNamespaceCookie(): bigint {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0, 'the network namespace cookie')
  try {
    const value = new Uint8Array(8)
    check('getsockopt', status(libc().getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, value, [8])), 'SO_NETNS_COOKIE')
    return new DataView(value.buffer).getBigUint64(0, true)
  } finally {
    closeSync(fd)
  }
}

/**
 * Runs `action` with the calling thread in another network namespace, and returns to its own. Synchronous on purpose:
 * setns(2) moves one thread, and what Node does asynchronously happens on others.
 *
 * @param path `/run/netns/<name>` or `/proc/<pid>/ns/net`.
 */
export function inNetworkNamespace<T>(path: string, action: () => T extends Promise<unknown> ? never : T): T {
  const own = openSync('/proc/thread-self/ns/net', 'r')
  try {
    const other = openSync(path, 'r')
    try {
      check('setns', status(libc().setns(other, CLONE_NEWNET)), path)
    } finally {
      closeSync(other)
    }
    try {
      return action()
    } finally {
      check('setns', status(libc().setns(own, CLONE_NEWNET)), 'the own network namespace')
    }
  } finally {
    closeSync(own)
  }
}

/** Mounts a file system that needs no device. */
export function mountFilesystem(type: string, target: string): void {
  check('mount', status(libc().mount(type, target, type, 0, null)), target)
}
