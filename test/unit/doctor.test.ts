// SPDX-License-Identifier: Apache-2.0
/** What the doctor makes of facts; each finding that needs something done says what. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { KernelFeatures } from '../../src/agent/kernel-features.ts'
import { checkDevices } from '../../src/doctor/check-devices.ts'
import { atLeast, checkKernel } from '../../src/doctor/check-kernel.ts'
import { checkMemory } from '../../src/doctor/check-memory.ts'
import { checkMounts, type MountFacts } from '../../src/doctor/check-mounts.ts'
import { checkOtherProxies, type OtherProxyFacts } from '../../src/doctor/check-other-proxies.ts'
import { checkPorts, type PortFacts } from '../../src/doctor/check-ports.ts'
import { checkRights } from '../../src/doctor/check-rights.ts'
import { checkSysctls } from '../../src/doctor/check-sysctls.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import type { NodeDevice } from '../../src/node/classify-devices.ts'

/** `level message` of each, and a remedy wherever one is owed. */
function said(findings: readonly Finding[]): string[] {
  for (const { level, message, remedy } of findings) {
    assert.equal(remedy !== undefined, level === 'warning' || level === 'error', message)
  }
  return findings.map(({ level, message }) => `${level} ${message}`)
}

function device(rest: Partial<NodeDevice> = {}): NodeDevice {
  return {
    ifindex: 2,
    name: 'eth0',
    class: 'net',
    loopback: false,
    overlay: false,
    ethernet: true,
    veth: false,
    mac: [2, 0, 0, 0, 0, 1],
    master: undefined,
    addresses: ['192.0.2.1'],
    defaultRoute: true,
    xdpMode: undefined,
    ...rest,
  }
}

describe('checkPorts()', () => {
  const usual: PortFacts = {
    ephemeral: { min: 32_768, max: 60_999 },
    reserved: '',
    nodePorts: { min: 30_000, max: 32_767 },
    snat: undefined,
  }
  const rows: readonly [string, Partial<PortFacts>, RegExp][] = [
    ['the usual', {}, /^ok masqueraded flows use 1024-29999/],
    [
      'clients get NodePorts',
      { ephemeral: { min: 20_000, max: 60_999 } },
      /^warning the kernel gives ports of 20000-60999/,
    ],
    [
      'those are reserved',
      { ephemeral: { min: 20_000, max: 60_999 }, reserved: '8080,30000-31000,31001-32767' },
      /^ok/,
    ],
    [
      'not all are reserved',
      { ephemeral: { min: 20_000, max: 60_999 }, reserved: '30000-32766' },
      /^warning the kernel/,
    ],
    ['nothing is left', { ephemeral: { min: 1024, max: 65_535 }, reserved: '30000-32767' }, /^error .*leave none/],
    [
      'little is left',
      { ephemeral: { min: 5_000, max: 65_535 }, reserved: '30000-32767' },
      /^warning 3976 ports, 1024-4999/,
    ],
    ['the given range meets clients', { snat: { min: 1024, max: 40_000 } }, /^error .*meets the ephemeral ports/],
    ['the given range meets NodePorts', { snat: { min: 32_000, max: 32_100 } }, /^error .*meets the NodePorts/],
  ]
  for (const [name, facts, expected] of rows) {
    test(name, () => assert.match(said(checkPorts({ ...usual, ...facts }))[0] ?? '', expected))
  }
})

describe('checkRights()', () => {
  const status = (bits: readonly number[]) =>
    `Name:\tnode\nCapEff:\t${bits
      .reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n)
      .toString(16)
      .padStart(16, '0')}\n`
  const check = (bits: readonly number[], seesNode = true, memlock = false) =>
    said(checkRights({ status: status(bits), seesNode, memlock }))

  test('BPF, PERFMON and NET_ADMIN are enough to forward', () => {
    assert.match(check([12, 38, 39])[1] ?? '', /^warning Connected UDP sockets.*CAP_SYS_ADMIN, CAP_SYS_PTRACE missing/)
  })
  test('with SYS_ADMIN, SYS_PTRACE and hostPID nothing is missing', () => {
    assert.deepEqual(check([12, 19, 21]), ['ok all capabilities that an agent can use'])
    assert.match(check([12, 19, 21], false)[1] ?? '', /^warning .*hostPID/)
  })
  test('a capability that is owed is an error that names it', () => {
    assert.deepEqual(check([38, 39]), ['error CAP_NET_ADMIN missing'])
    assert.deepEqual(check([12]), ['error CAP_BPF, CAP_PERFMON missing'])
    assert.deepEqual(check([12, 38, 39], true, true), ['error CAP_SYS_RESOURCE missing'])
  })
})

describe('checkKernel()', () => {
  const all: KernelFeatures = { fibSource: true, setRetval: true, conntrack: true }
  test('says nothing but its release when it has all', () => {
    assert.deepEqual(said(checkKernel({ release: '6.18.1', features: all, jit: '1' })), ['ok Linux 6.18.1'])
  })
  test('names what follows from what an old one lacks', () => {
    const features: KernelFeatures = { fibSource: false, setRetval: false, conntrack: false }
    const [, ...rest] = said(checkKernel({ release: '5.15.0-1-amd64', features, jit: '0' }))
    assert.equal(rest.length, 5)
    assert.ok(rest.some((text) => text.startsWith('note not Linux 5.18: connect() to a Service without endpoints')))
    assert.ok(rest.some((text) => text.startsWith('note no tcx')))
    assert.match(rest.at(-1) ?? '', /^warning BPF programs are interpreted/)
  })
  test('atLeast() compares numbers, not text', () => {
    assert.ok(atLeast('6.10.0', 6, 9) && atLeast('7.0', 6, 9) && !atLeast('5.19', 6, 0))
  })
})

describe('checkMounts()', () => {
  const usual: MountFacts = { socketLb: 'all', bpffs: true, cgroup: '/sys/fs/cgroup', isCgroup2: true, isRoot: true }
  const rows: readonly [string, Partial<MountFacts>, readonly string[]][] = [
    ['the usual', {}, ['ok', 'ok']],
    ['no bpffs', { bpffs: false }, ['warning', 'ok']],
    ['no cgroup2', { cgroup: undefined, isCgroup2: false }, ['ok', 'error']],
    ['another file system', { isCgroup2: false }, ['ok', 'error']],
    ["a container's own cgroup", { isRoot: false }, ['ok', 'warning']],
    ['no socket hooks', { socketLb: 'off', cgroup: undefined, isCgroup2: false }, ['ok', 'note']],
  ]
  for (const [name, facts, levels] of rows) {
    test(name, () => {
      const findings = checkMounts({ ...usual, ...facts })
      said(findings)
      assert.deepEqual(
        findings.map(({ level }) => level),
        levels,
      )
    })
  }
})

describe('checkDevices()', () => {
  const check = (rest: Partial<NodeDevice>, features: number | undefined, driver?: string, own = false) =>
    said(
      checkDevices({
        xdp: 'auto',
        devices: [device(rest)],
        xdpFeatures: features === undefined ? undefined : new Map([[2, features]]),
        drivers: new Map(driver === undefined ? [] : [[2, driver]]),
        ownXdp: new Set(own ? [2] : []),
      }),
    )[0]
  const rows: readonly [string, string | undefined, RegExp][] = [
    [
      'the kernel says that the driver has XDP',
      check({}, 43, 'virtio_net'),
      /^ok XDP in the driver, tc, driver virtio_net$/,
    ],
    ['the kernel says that it has not', check({}, 0, 'virtio_net'), /^note XDP generic/],
    ['by the name of the driver', check({}, undefined, 'ixgbe'), /^ok XDP in the driver by its name/],
    ['an unknown driver', check({}, undefined, 'r8169'), /^note XDP generic/],
    ["somebody else's program", check({ xdpMode: 'native' }, 43), /^warning tc: another XDP program/],
    ['our own program', check({ xdpMode: 'native' }, 43, undefined, true), /^ok XDP in the driver/],
    ['a veth', check({ veth: true }, 43), /^ok tc: a veth/],
    ['an overlay', check({ overlay: true }, 0), /^ok tc: an overlay/],
    ['no Ethernet', check({ ethernet: false }, 0), /^ok tc: frames without/],
  ]
  for (const [name, found, expected] of rows) test(name, () => assert.match(found ?? '', expected))

  test('no device but lo is an error', () => {
    const facts = { xdp: 'auto' as const, xdpFeatures: undefined, drivers: new Map(), ownXdp: new Set<number>() }
    const findings = said(checkDevices({ devices: [device({ name: 'lo', loopback: true })], ...facts }))
    assert.ok(findings.includes('error no device of the node was found'))
  })
})

describe('checkSysctls()', () => {
  const usual: Record<string, string> = { 'net/ipv4/ip_forward': '1', 'net/ipv6/conf/all/forwarding': '1' }
  const check = (sysctls: Record<string, string>, devices = [device()], socketLb: 'all' | 'off' = 'all') =>
    said(
      checkSysctls({ sysctl: (name) => ({ ...usual, ...sysctls })[name], devices, socketLb, localhostNodePorts: true }),
    )

  test('forwarding is asked of the families that the node has', () => {
    assert.ok(check({ 'net/ipv6/conf/all/forwarding': '0' }).includes('ok on'))
    const [first] = check({ 'net/ipv6/conf/all/forwarding': '0' }, [device({ addresses: ['2001:db8::1'] })])
    assert.match(first ?? '', /^warning net.ipv6.conf.all.forwarding off/)
  })
  test('strict rp_filter is no fault', () => {
    assert.ok(check({ 'net/ipv4/conf/eth0/rp_filter': '1' }).some((text) => text.startsWith('ok strict on eth0')))
  })
  test('own sources matter without socket hooks only', () => {
    const off = { 'net/ipv4/conf/eth0/accept_local': '0', 'net/ipv4/conf/lo/accept_local': '1' }
    assert.ok(!check(off).some((text) => text.startsWith('warning')))
    const [found] = check(off, [device()], 'off').filter((text) => text.startsWith('warning'))
    assert.match(found ?? '', /net\.ipv4\.conf\.eth0\.accept_local, net\.ipv4\.conf\.lo\.route_localnet off/)
  })
})

describe('checkOtherProxies()', () => {
  const nobody: OtherProxyFacts = {
    iptables: [],
    nftTables: [],
    ipvs: '',
    devices: [],
    programs: [],
    kubeProxyRuns: false,
  }
  const ipvs =
    'IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\nTCP  0A600001:01BB rr\n'
  const rows: readonly [string, Partial<OtherProxyFacts>, RegExp][] = [
    ['nobody', { nftTables: ['inet filter'], devices: ['eth0'], programs: ['xdp_net'] }, /^ok none/],
    ['kube-proxy by iptables', { iptables: ['iptables'], kubeProxyRuns: true }, /^warning runs \(iptables\)/],
    ['its rules alone', { nftTables: ['ip kube-proxy'] }, /^warning does not run, but left .*ip kube-proxy/],
    ['ipvs', { ipvs, devices: ['kube-ipvs0'] }, /^warning 1 virtual services, the device kube-ipvs0/],
    [
      'cilium in place of kube-proxy',
      { programs: ['cil_sock4_connect'] },
      /^error translates Services in its own socket/,
    ],
    [
      'cilium as CNI alone',
      { programs: ['cil_from_netdev'], devices: ['cilium_host'] },
      /^note runs, without socket hooks/,
    ],
    ['calico by eBPF', { programs: ['calico_connect_'] }, /^error its eBPF dataplane/],
    ['calico by iptables', { devices: ['cali123'], programs: [] }, /^ok none/],
  ]
  for (const [name, facts, expected] of rows) {
    test(name, () => assert.match(said(checkOtherProxies({ ...nobody, ...facts }))[0] ?? '', expected))
  }
})

test('checkMemory() compares full maps with what is available', () => {
  const maps = [['arena', 64 << 20]] as const
  const levels = [1 << 30, 128 << 20, 32 << 20].map((availableBytes) => checkMemory({ maps, availableBytes })[0]?.level)
  assert.deepEqual(levels, ['ok', 'warning', 'error'])
})
