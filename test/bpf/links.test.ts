// SPDX-License-Identifier: Apache-2.0
/** Attaching in the real kernel, to devices of a namespace and a cgroup of the test's own. */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Reason } from '../../src/abi/generated.ts'
import { ensurePinDirectory, pinnedNames, unpin } from '../../src/bpf/bpffs.ts'
import { classicProgramId, detachClassic } from '../../src/bpf/classic-filter.ts'
import { BpfLink } from '../../src/bpf/link.ts'
import { attachCgroup, attachTc, attachXdp } from '../../src/bpf/links.ts'
import { mapsOf } from '../../src/bpf/maps.ts'
import { loadObject } from '../../src/bpf/object.ts'
import { describeProgram } from '../../src/bpf/program.ts'
import { inNetworkNamespace, interfaceIndex } from '../../src/ffi/libc.ts'
import { emptyCgroup, loaderObject, networkNamespace, pinDirectory, skip } from './requires-bpf.ts'

function load(t: TestContext) {
  const object = loadObject({ object: loaderObject, maxEntries: { arena: 16 } })
  const { maps, close } = mapsOf(object.maps)
  t.after(() => {
    close()
    object.close()
  })
  const fd = (name: string) => object.programs.get(name)!.fd
  const id = (name: string) => describeProgram(fd(name)).id
  return { object, maps, fd, id }
}

/** Runs in the namespace, where a device's index means the device. */
function at<T>(
  namespace: string,
  device: string,
  action: (ifindex: number) => T extends Promise<unknown> ? never : T,
): T {
  return inNetworkNamespace<T>(namespace, () => action(interfaceIndex(device)!))
}

/** Makes the kernel of the namespace send a packet out of `near`. */
function sendFromNear(namespace: string): void {
  const name = basename(namespace)
  execFileSync('ip', ['-n', name, 'neigh', 'replace', '192.0.2.2', 'lladdr', '02:00:00:00:00:01', 'dev', 'near'])
  execFileSync('ip', ['-n', name, 'address', 'replace', '192.0.2.1/24', 'dev', 'near'])
  inNamespace(
    namespace,
    "const s = require('dgram').createSocket('udp4'); s.send('x', 9, '192.0.2.2', () => s.close())",
  )
}

/** Runs a script in a Node of its own in the namespace. */
function inNamespace(namespace: string, script: string): string {
  const run = spawnSync('nsenter', [`--net=${namespace}`, process.execPath, '-e', script], { encoding: 'utf8' })
  assert.equal(run.status, 0, run.stderr)
  return run.stdout
}

test('attachXdp() takes native XDP on a veth and says so', { skip }, (t) => {
  const namespace = networkNamespace(t)
  const { fd, id } = load(t)
  at(namespace, 'near', (ifindex) => {
    const { link, mode, nativeRefusal } = attachXdp({ programFd: fd('loader_xdp'), ifindex })
    assert.deepEqual([mode, nativeRefusal], ['native', undefined])
    const info = link.info()
    assert.deepEqual({ ...info, id: 0 }, { type: 'xdp', id: 0, programId: id('loader_xdp'), ifindex, attachType: 0 })
    assert.throws(() => attachXdp({ programFd: fd('loader_xdp'), ifindex }), { code: 'EBUSY' })
    link.close()
    attachXdp({ programFd: fd('loader_xdp'), ifindex, mode: 'generic' }).link.close()
  })
})

test('attachXdp() falls back to generic XDP where the driver has none, and tells the reason', { skip }, (t) => {
  const namespace = networkNamespace(t)
  const { fd } = load(t)
  at(namespace, 'lo', (ifindex) => {
    const { link, mode, nativeRefusal } = attachXdp({ programFd: fd('loader_xdp'), ifindex })
    assert.equal(mode, 'generic')
    assert.equal(nativeRefusal?.code, 'EOPNOTSUPP')
    link.close()
    assert.throws(() => attachXdp({ programFd: fd('loader_xdp'), ifindex, mode: 'native' }), { code: 'EOPNOTSUPP' })
    assert.throws(() => attachXdp({ programFd: fd('loader_xdp'), ifindex: 0x7fff_fff0 }), {
      code: 'EINVAL',
      message: /XDP of device 2147483632/,
    })
  })
})

test('attachTc() by tcx sees packets both ways, survives as a pin and takes another program in place', {
  skip,
}, (t) => {
  const namespace = networkNamespace(t)
  const { fd, id, maps } = load(t)
  const directory = pinDirectory(t)
  ensurePinDirectory(directory)
  const path = join(directory, 'link')
  const attached = at(namespace, 'near', (ifindex) =>
    attachTc({ programFd: fd('loader_tc'), ifindex, direction: 'egress' }),
  )
  assert.equal(attached.api, 'tcx')
  if (attached.api !== 'tcx') return
  const { link } = attached
  const before = link.info()
  assert.ok(before.type === 'tcx')
  // BPF_TCX_EGRESS
  assert.deepEqual([before.programId, before.attachType], [id('loader_tc'), 47])
  link.pin(path)
  link.close()

  sendFromNear(namespace)
  assert.ok(maps.reasons.sum(Reason.FORWARD_FLOW).packets > 0n)

  using reopened = BpfLink.openPinned(path)!
  assert.equal(reopened.info().id, before.id)
  reopened.update(fd('loader_tc_next'))
  assert.equal(reopened.info().programId, id('loader_tc_next'))
  const seen = maps.reasons.sum(Reason.FORWARD_FLOW).packets
  sendFromNear(namespace)
  assert.ok(maps.reasons.sum(Reason.FORWARD_REPLY).packets > 0n)
  assert.equal(maps.reasons.sum(Reason.FORWARD_FLOW).packets, seen)

  reopened.detach()
  assert.deepEqual(pinnedNames(directory), ['link'])
  const detached = reopened.info()
  assert.ok(detached.type === 'tcx' && detached.ifindex === undefined)
  reopened.unpin()
  assert.equal(BpfLink.openPinned(path), undefined)
  assert.equal(unpin(path), false)
})

test('BpfLink.info() tells that the device is gone', { skip }, (t) => {
  const namespace = networkNamespace(t)
  const { fd } = load(t)
  const attached = at(namespace, 'near', (ifindex) =>
    attachTc({ programFd: fd('loader_tc'), ifindex, direction: 'ingress' }),
  )
  assert.ok(attached.api === 'tcx')
  execFileSync('ip', ['-n', basename(namespace), 'link', 'del', 'near'])
  const info = attached.link.info()
  assert.ok(info.type === 'tcx' && info.ifindex === undefined)
  attached.link.close()
})

test('attachTc() by clsact sees packets, replaces its program in place and is detached once', { skip }, (t) => {
  const namespace = networkNamespace(t)
  const { fd, id, maps } = load(t)
  const attach = (program: string) =>
    at(namespace, 'near', (ifindex) =>
      attachTc({ programFd: fd(program), ifindex, direction: 'egress', api: 'clsact', priority: 7 }),
    )
  const attached = attach('loader_tc')
  assert.ok(attached.api === 'clsact')
  const { filter } = attached
  assert.equal(
    at(namespace, 'near', () => classicProgramId(filter)),
    id('loader_tc'),
  )
  sendFromNear(namespace)
  assert.ok(maps.reasons.sum(Reason.FORWARD_FLOW).packets > 0n)
  attach('loader_tc_next')
  assert.equal(
    at(namespace, 'near', () => classicProgramId(filter)),
    id('loader_tc_next'),
  )
  assert.equal(
    at(namespace, 'near', () => detachClassic(filter)),
    true,
  )
  assert.equal(
    at(namespace, 'near', () => detachClassic(filter)),
    false,
  )
  assert.equal(
    at(namespace, 'near', () => classicProgramId(filter)),
    undefined,
  )
  assert.equal(
    at(namespace, 'far', (ifindex) => detachClassic({ ...filter, ifindex })),
    false,
  )
})

test('attachCgroup() sees the connects of the processes in the cgroup alone', { skip }, (t) => {
  const cgroup = emptyCgroup(t)
  const namespace = networkNamespace(t)
  const { object, maps, id } = load(t)
  const { fd, attachType } = object.programs.get('loader_connect4')!
  using link = attachCgroup({ programFd: fd, attachType, cgroup })
  const info = link.info()
  assert.ok(info.type === 'cgroup')
  assert.deepEqual(info, {
    ...{ type: 'cgroup', id: info.id, programId: id('loader_connect4') },
    ...{ cgroupId: statSync(cgroup, { bigint: true }).ino, attachType },
  })
  const connect = "require('net').connect(4242, '127.0.0.1').on('error', () => {})"
  inNamespace(namespace, connect)
  assert.equal(maps.reasons.sum(Reason.FORWARD_SOCKET).packets, 0n)
  inNamespace(namespace, `require('fs').writeFileSync('${cgroup}/cgroup.procs', '0');${connect}`)
  assert.deepEqual(maps.reasons.sum(Reason.FORWARD_SOCKET), { packets: 1n, bytes: 4242n })
})

test('attachCgroup() names the cgroup that does not exist', { skip }, (t) => {
  const { object } = load(t)
  const { fd, attachType } = object.programs.get('loader_connect4')!
  assert.throws(() => attachCgroup({ programFd: fd, attachType, cgroup: '/sys/fs/cgroup/no-such-cgroup' }), {
    code: 'ENOENT',
  })
})
