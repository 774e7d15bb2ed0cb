// SPDX-License-Identifier: Apache-2.0
/** What a device is taken for, on the shapes that CNIs give a node; and which ports are left for SNAT. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeviceFlags } from '../../src/abi/generated.ts'
import { classifyDevices, type DevicePatterns, nodeAddressesOf } from '../../src/node/classify-devices.ts'
import { deviceEntries } from '../../src/node/device-entries.ts'
import type { DeviceSnapshot, LinkJson } from '../../src/node/device-snapshot.ts'
import { largestGap } from '../../src/node/snat-port-range.ts'

const none: DevicePatterns = { devices: [], podInterfaces: [] }

function link(ifindex: number, ifname: string, more: Partial<LinkJson> & { kind?: string } = {}): LinkJson {
  const { kind, ...rest } = more
  const linkinfo = kind === undefined ? {} : { linkinfo: { info_kind: kind } }
  return { ifindex, ifname, flags: ['UP'], link_type: 'ether', address: '02:00:00:00:00:01', ...linkinfo, ...rest }
}

function snapshot(links: readonly LinkJson[], addresses: Readonly<Record<number, string>>): DeviceSnapshot {
  return {
    links,
    addresses: Object.entries(addresses).map(([ifindex, text]) => {
      const [local = '', bits] = text.split('/')
      const family = local.includes(':') ? 'inet6' : 'inet'
      return { ifindex: Number(ifindex), addr_info: [{ family, local, prefixlen: Number(bits), scope: 'global' }] }
    }),
    defaultRoutes: new Set(['eth0']),
    bridgeNetfilter: false,
  }
}

const lo = link(1, 'lo', { flags: ['LOOPBACK', 'UP'], link_type: 'loopback' })
const classes = (state: DeviceSnapshot, patterns = none) =>
  Object.fromEntries(classifyDevices(state, patterns).map((device) => [device.name, device.class]))

const bridged = snapshot(
  [
    lo,
    link(2, 'eth0', { kind: 'veth', link_netnsid: 0 }),
    link(3, 'cni0', { kind: 'bridge' }),
    link(4, 'vethA', { kind: 'veth', link_netnsid: 1, master: 'cni0' }),
    link(5, 'tap0', { kind: 'tun', master: 'cni0' }),
    link(6, 'vxlan0', { kind: 'vxlan' }),
    link(7, 'kube-ipvs0', { kind: 'dummy' }),
    link(8, 'eth1', { flags: [] }),
  ],
  { 2: '192.168.0.10/24', 3: '10.244.0.1/24', 6: '10.244.0.0/32', 7: '10.96.0.1/32' },
)

test('classifyDevices() tells ways out of the node from pods, on a bridge', () => {
  assert.deepEqual(classes(bridged), {
    lo: 'net',
    eth0: 'net',
    cni0: 'bridge',
    vethA: 'pod',
    tap0: 'pod',
    vxlan0: 'net',
    'kube-ipvs0': 'other',
    eth1: 'other',
  })
  assert.deepEqual(nodeAddressesOf(classifyDevices(bridged, none)), ['192.168.0.10', '10.244.0.1', '10.244.0.0'])
})

test('classifyDevices() knows routed pods, also where the CNI gives the host’s end an address', () => {
  const routed = snapshot(
    [
      lo,
      link(2, 'eth0'),
      link(3, 'cali1', { kind: 'veth', link_netnsid: 1 }),
      link(4, 'ptp1', { kind: 'veth', link_netnsid: 2 }),
    ],
    { 2: '192.168.0.10/24', 4: '10.244.0.1/32' },
  )
  assert.deepEqual(classes(routed), { lo: 'net', eth0: 'net', cali1: 'pod', ptp1: 'pod' })
})

test('classifyDevices() obeys patterns', () => {
  const patterns = { devices: ['eth*', 'lo'], podInterfaces: ['tap*'] }
  assert.deepEqual(classes(bridged, patterns), {
    lo: 'net',
    eth0: 'net',
    cni0: 'bridge',
    vethA: 'other',
    tap0: 'pod',
    vxlan0: 'other',
    'kube-ipvs0': 'other',
    eth1: 'net',
  })
})

test('deviceEntries() marks bridge ports that answer unseen, devices XDP can send to, and the way to the node itself', () => {
  const devices = classifyDevices(bridged, none)
  const entries = deviceEntries({
    devices,
    detector: { kind: 'bridge', device: 'cni0' },
    bridgeNetfilter: false,
    xdpModes: new Map([[2, 'native']]),
  })
  assert.equal(entries.get(4)?.flags, DeviceFlags.DEV_F_POD | DeviceFlags.DEV_F_L2_REPLY | DeviceFlags.DEV_F_IN_CLUSTER)
  assert.equal(entries.get(4)?.master, 3)
  assert.equal(entries.get(2)?.flags, DeviceFlags.DEV_F_XDP)
  assert.equal(entries.get(6)?.flags, 0)
  assert.equal(entries.get(1)?.master, 2)
  assert.deepEqual([...(entries.get(4)?.addr4 ?? [])].slice(12), [192, 168, 0, 10])
})

test('largestGap() meets none of the taken ranges', () => {
  const taken = [
    { min: 32_768, max: 60_999 },
    { min: 30_000, max: 32_767 },
  ]
  assert.deepEqual(largestGap(taken), { min: 1024, max: 29_999 })
  assert.deepEqual(largestGap([{ min: 1024, max: 60_000 }]), { min: 60_001, max: 65_535 })
  assert.equal(largestGap([{ min: 1, max: 65_535 }]), undefined)
})
