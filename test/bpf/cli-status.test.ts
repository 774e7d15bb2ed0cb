// SPDX-License-Identifier: Apache-2.0
/** `status` and `cleanup` against programs that are attached to a cgroup and a device of the test's own. */

import assert from 'node:assert/strict'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { abiFingerprint } from '../../src/abi/generated.ts'
import { lockInstance } from '../../src/agent/instance-lock.ts'
import { ensurePinDirectory, pinnedNames } from '../../src/bpf/bpffs.ts'
import { attachCgroup, attachTc } from '../../src/bpf/links.ts'
import { mapsOf } from '../../src/bpf/maps.ts'
import { loadObject } from '../../src/bpf/object.ts'
import { runProgram } from '../../src/bpf/prog-run.ts'
import type { ProgramHandle } from '../../src/bpf/program.ts'
import { inNetworkNamespace, interfaceIndex } from '../../src/ffi/libc.ts'
import { maglane } from './cli.instance.ts'
import { tcpSyn } from './cli.packet.ts'
import { emptyCgroup, loaderObject, networkNamespace, pinDirectory, skip } from './requires-bpf.ts'

/** An instance whose programs count; one stands on a cgroup, one on a device. */
function attachedInstance(context: TestContext) {
  const directory = pinDirectory(context)
  const links = join(directory, 'links')
  ensurePinDirectory(links)
  const object = loadObject({
    object: loaderObject,
    pinDirectory: join(directory, 'maps'),
    maxEntries: { arena: 1024, backends: 64, flows: 64 },
  })
  const { maps, close } = mapsOf(object.maps)
  context.after(() => {
    close()
    object.close()
  })
  maps.control.set(0, { ...maps.control.get(0), abi: abiFingerprint })
  const program = (name: string) => object.programs.get(name) as ProgramHandle
  const connect = program('loader_connect4')
  using onCgroup = attachCgroup({
    programFd: connect.fd,
    attachType: connect.attachType,
    cgroup: emptyCgroup(context),
  })
  onCgroup.pin(join(links, 'connect4'))
  const ifindex = inNetworkNamespace(networkNamespace(context), () => {
    // Nothing is sent on it: counters stay as the test leaves them.
    const index = interfaceIndex('lo') ?? 0
    const attached = attachTc({ programFd: program('loader_tc').fd, ifindex: index, direction: 'ingress', api: 'tcx' })
    if (attached.api === 'tcx') {
      attached.link.pin(join(links, 'tc-ingress'))
      attached.link.close()
    }
    return index
  })
  return { name: basename(directory), directory, links, maps, ifindex, tc: program('loader_tc') }
}

test('status shows what is attached, the fill of maps, and what became of packets', { skip }, async (context) => {
  const instance = attachedInstance(context)
  instance.maps.services.set(1, { namespace: 'default', name: 'web', portName: '' })
  const packet = tcpSyn('10.1.0.9', 40_000, '10.96.0.1', 80)
  runProgram(instance.tc.fd, { packet })
  runProgram(instance.tc.fd, { packet })

  const { status, stdout, stderr } = await maglane(['status', '--instance', instance.name, '-o', 'json'])

  assert.equal(status, 0, stderr)
  const { hooks, maps, reasons } = JSON.parse(stdout) as {
    readonly hooks: readonly Record<string, unknown>[]
    readonly maps: readonly { readonly map: string; readonly used: number | null; readonly capacity: number }[]
    readonly reasons: readonly unknown[]
  }
  assert.deepEqual(
    hooks.map(({ link, type, ifindex, program }) => ({ link, type, ifindex, program })),
    [
      { link: 'connect4', type: 'cgroup', ifindex: 0, program: 'loader_connect4' },
      { link: 'tc-ingress', type: 'tcx', ifindex: instance.ifindex, program: 'loader_tc' },
    ],
  )
  const fill = new Map(maps.map(({ map, used, capacity }) => [map, { used, capacity }]))
  assert.deepEqual(fill.get('services'), { used: 1, capacity: 65_536 })
  assert.deepEqual(fill.get('flows'), { used: 0, capacity: 64 })
  assert.deepEqual(fill.get('arena'), { used: 0, capacity: 16 * 1024 })
  assert.deepEqual(reasons, [{ reason: 'FORWARD_FLOW', verdict: 'forward', packets: 2, bytes: 2 * packet.length }])
})

test('status prints tables for people', { skip }, async (context) => {
  const instance = attachedInstance(context)
  const { stdout } = await maglane(['status', '--instance', instance.name])
  assert.match(stdout, /^Instance /)
  assert.match(stdout, /^- +cgroup +- +loader_connect4 +connect4$/m)
  assert.match(stdout, /^flows +0 +64 +0% +\d/m)
  assert.match(stdout, /^No packet yet$/m)
})

test('cleanup takes programs off and removes every pin', { skip }, async (context) => {
  const instance = attachedInstance(context)

  const { status, stdout, stderr } = await maglane(['cleanup', '--instance', instance.name, '-o', 'json'])

  assert.equal(status, 0, stderr)
  const maps = Object.keys(instance.maps).length
  assert.deepEqual(JSON.parse(stdout), [{ instance: instance.name, detached: 2, maps }])
  assert.deepEqual(pinnedNames(instance.directory), [])
  const again = await maglane(['cleanup', '--instance', instance.name])
  assert.equal(again.status, 1)
})

test('cleanup leaves an instance alone whose agent runs', { skip }, async (context) => {
  const instance = attachedInstance(context)
  using _ = lockInstance(instance.name)

  const { status, stderr } = await maglane(['cleanup', '--instance', instance.name])

  assert.equal(status, 1)
  assert.equal(stderr, `maglane: stop the agent of instance "${instance.name}" first: process ${process.pid}\n`)
  assert.deepEqual(pinnedNames(instance.links), ['connect4', 'tc-ingress'])
})
