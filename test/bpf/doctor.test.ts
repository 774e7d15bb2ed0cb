// SPDX-License-Identifier: Apache-2.0
/** `maglane doctor` in the real kernel, in a network namespace that has something wrong with it. */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { release } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { atLeast } from '../../src/doctor/check-kernel.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { readXdpFeatures, XdpFeature } from '../../src/doctor/xdp-features.ts'
import { inNetworkNamespace } from '../../src/ffi/libc.ts'
import { networkNamespace, skip, uniqueName } from './requires-bpf.ts'

const main = join(import.meta.dirname, '../../src/cli/main.ts')

function examine(namespace: string, ...flags: readonly string[]) {
  const words = [
    `--net=${namespace}`,
    process.execPath,
    main,
    'doctor',
    '-o',
    'json',
    '--instance',
    uniqueName(),
    ...flags,
  ]
  const { status, stdout, stderr } = spawnSync('nsenter', words, { encoding: 'utf8' })
  assert.match(stdout, /^\{/, stderr)
  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: readonly Finding[] }
  return { status, ok, find: (check: string) => findings.filter((finding) => finding.check === check) }
}

test('doctor loads the programs and attaches none', { skip }, (t) => {
  const namespace = networkNamespace(t)
  execFileSync('ip', ['-n', basename(namespace), 'address', 'add', '192.0.2.1/24', 'dev', 'near'])
  const { status, ok, find } = examine(namespace)
  assert.deepEqual([status, ok], [0, true])
  assert.match(find('programs')[0]?.message ?? '', /^the kernel takes all \d+ programs/)
  assert.match(find('device near')[0]?.message ?? '', /^tc: a veth/)
  assert.match(examine(namespace, '--xdp', 'native').find('device near')[0]?.message ?? '', /^XDP/)
  assert.equal(find('ports')[0]?.level, 'ok')
  const links = execFileSync('ip', ['-n', basename(namespace), 'link', 'show', 'near'], { encoding: 'utf8' })
  assert.doesNotMatch(links, /xdp/)
})

test('doctor finds what is wrong with a node, and ends with status 1', { skip }, (t) => {
  const namespace = networkNamespace(t)
  const inside = (...words: readonly string[]) => execFileSync('nsenter', [`--net=${namespace}`, ...words])
  inside('sysctl', '-qw', 'net.ipv4.ip_local_port_range=1024 65535')
  inside('nft', 'add table ip nat; add chain ip nat KUBE-SERVICES; add table ip6 kube-proxy')
  const { status, ok, find } = examine(namespace, '--healthz-bind-address', '192.0.2.77:10256')
  assert.deepEqual([status, ok], [1, false])
  assert.deepEqual(
    find('ports').map(({ level }) => level),
    ['warning', 'error'],
  )
  assert.match(find('kube-proxy')[0]?.message ?? '', /\(iptables, nftables table ip6 kube-proxy\)/)
  assert.match(find('health checks')[0]?.message ?? '', /192\.0\.2\.77:10256: EADDRNOTAVAIL/)
  assert.ok(
    find('devices').some(({ level }) => level === 'error'),
    'no device has an address',
  )
})

test('readXdpFeatures() tells every device of the namespace', { skip }, (t) => {
  const namespace = networkNamespace(t)
  const features = inNetworkNamespace(namespace, () => readXdpFeatures())
  if (features === undefined) {
    assert.ok(!atLeast(release(), 6, 3))
    return
  }
  const links = JSON.parse(execFileSync('ip', ['-j', '-n', basename(namespace), 'link'], { encoding: 'utf8' }))
  for (const { ifindex, ifname } of links as readonly { ifindex: number; ifname: string }[]) {
    const native: boolean = ((features.get(ifindex) ?? 0) & XdpFeature.BASIC) !== 0
    assert.equal(native, ifname !== 'lo', ifname)
  }
})
