// SPDX-License-Identifier: Apache-2.0
/** networkChanges() and what stands on libc, in a network namespace of the test's own. */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'
import { check, isNativeError, NativeError } from '../../src/ffi/check.ts'
import { monotonicNs } from '../../src/ffi/clock.ts'
import { inNetworkNamespace, interfaceIndex, mapAnonymous, networkNamespaceCookie } from '../../src/ffi/libc.ts'
import { library } from '../../src/ffi/library.ts'
import { networkChanges } from '../../src/ffi/netlink.ts'
import { networkNamespace, skip } from './requires-bpf.ts'

const openSockets = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
    } catch {
      return false
    }
  }).length

test('networkChanges() tells each kind of change in its namespace, and closes its socket when aborted', {
  skip,
}, async (t) => {
  const namespace = networkNamespace(t)
  const ip = (...args: string[]) => execFileSync('ip', ['-n', basename(namespace), ...args])
  const before = openSockets()
  const abort = new AbortController()
  const changes = inNetworkNamespace(namespace, () => ({ each: networkChanges(abort.signal) })).each
  const steps: readonly (readonly [kind: string, ...command: string[]])[] = [
    ['link', 'link', 'set', 'near', 'mtu', '1400'],
    ['address', 'address', 'add', '192.0.2.1/24', 'dev', 'near'],
    ['route', 'route', 'add', '198.51.100.0/24', 'dev', 'near'],
    ['neighbour', 'neigh', 'replace', '192.0.2.9', 'lladdr', '02:00:00:00:00:02', 'dev', 'near'],
    ['rule', 'rule', 'add', 'from', '192.0.2.1', 'lookup', 'main'],
    ['address', '-6', 'address', 'add', '2001:db8::1/64', 'dev', 'near', 'nodad'],
    ['route', '-6', 'route', 'add', '2001:db8:1::/64', 'dev', 'near'],
    ['rule', '-6', 'rule', 'add', 'from', '2001:db8::1', 'lookup', 'main'],
  ]
  for (const [kind, ...command] of steps) {
    // One that is seen for the first time changes nothing.
    if (kind === 'neighbour') ip('neigh', 'add', '192.0.2.9', 'lladdr', '02:00:00:00:00:01', 'dev', 'near')
    ip(...command)
    // Others may come first: a link that comes up has addresses and routes of its own.
    for (;;) {
      const { value, done } = await changes.next()
      assert.ok(!done)
      if (value.has(kind as never)) break
    }
  }
  const waiting = changes.next()
  abort.abort()
  // What was there to read already may come before the end.
  let last = await waiting
  while (!last.done) last = await changes.next()
  assert.equal(openSockets(), before)
})

test('networkChanges() does not keep the process from its end once aborted', { skip }, (t) => {
  const namespace = networkNamespace(t)
  const script = `
    import { networkChanges } from ${JSON.stringify(import.meta.resolve('../../src/ffi/netlink.ts'))}
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 20)
    for await (const _ of networkChanges(abort.signal));
    console.log('ended')`
  const run = spawnSync('nsenter', [`--net=${namespace}`, process.execPath, '--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 10_000,
  })
  assert.deepEqual([run.stdout, run.status], ['ended\n', 0], run.stderr)
})

test('networkChanges() tells of messages that were lost', { skip }, async (t) => {
  const namespace = networkNamespace(t)
  const abort = new AbortController()
  const changes = inNetworkNamespace(namespace, () => ({ each: networkChanges(abort.signal) })).each
  // More than a socket's buffer holds, while nobody reads.
  const commands = Array.from(
    { length: 3000 },
    (_, index) => `route add 198.18.${index >> 8}.${index & 0xff}/32 dev near`,
  )
  execFileSync('ip', ['-n', basename(namespace), '-batch', '-'], { input: commands.join('\n') })
  const { value } = await changes.next()
  assert.ok(value?.has('overrun') && value.has('route'))
  abort.abort()
  assert.equal((await changes.next()).done, true)
})

test('inNetworkNamespace() runs in the other namespace and comes back, also after a failure', { skip }, (t) => {
  const namespace = networkNamespace(t)
  const own = networkNamespaceCookie()
  const other = inNetworkNamespace(namespace, networkNamespaceCookie)
  assert.notEqual(other, own)
  assert.throws(() =>
    inNetworkNamespace(namespace, () => {
      throw new Error('inside')
    }),
  )
  assert.equal(networkNamespaceCookie(), own)
  assert.equal(
    inNetworkNamespace(namespace, () => interfaceIndex('near') !== undefined),
    true,
  )
  assert.equal(interfaceIndex('near'), undefined)
  assert.throws(() => inNetworkNamespace('/proc/self/cmdline', () => 0), { code: 'EINVAL', operation: 'setns' })
})

test('monotonicNs() is CLOCK_MONOTONIC, the clock of programs', () => {
  const libc = library('libc.so.6', '', (bind) => ({
    clockGettime: bind<(clock: number, time: BigInt64Array) => number>('clock_gettime', 'int', ['int', 'void *']),
  }))
  const time = new BigInt64Array(2)
  const before = monotonicNs()
  libc().clockGettime(1, time)
  const between = time[0]! * 1_000_000_000n + time[1]!
  assert.ok(before <= between && between <= monotonicNs())
})

test('mapAnonymous() gives zeros that can be written, and is unmapped once', () => {
  const memory = mapAnonymous(8192)
  const bytes = new Uint8Array(memory.bytes)
  assert.equal(bytes.length, 8192)
  assert.ok(bytes.every((byte) => byte === 0))
  bytes[8191] = 1
  memory.unmap()
  memory.unmap()
})

test('check() passes what is no failure and explains what is', () => {
  assert.equal(check('f', 0, 'x'), 0)
  assert.equal(check('f', 5, 'x'), 5)
  assert.equal(check('f', 7n, 'x'), 7n)
  assert.throws(() => check('bpf_obj_get', -2, 'map flows'), {
    name: 'NativeError',
    code: 'ENOENT',
    errno: 2,
    operation: 'bpf_obj_get',
    message: 'bpf_obj_get failed for map flows: ENOENT (no such file or directory)',
  })
  assert.throws(() => check('f', -524, 'x'), { code: 'ENOTSUPP', message: /not supported/ })
  assert.throws(() => check('f', -4001, 'x'), { code: 'FORMAT' })
  assert.ok(isNativeError(new NativeError('f', 17, 'x'), 'ENOENT', 'EEXIST'))
  assert.ok(!isNativeError(new NativeError('f', 17, 'x'), 'ENOENT'))
  assert.ok(!isNativeError(new Error('x')))
})
