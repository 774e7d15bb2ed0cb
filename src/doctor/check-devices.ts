// SPDX-License-Identifier: Apache-2.0
/** Which devices programs would be attached to, and whether XDP runs in their drivers. */

import type { XdpPolicy } from '../config/config.ts'
import type { NodeDevice } from '../node/classify-devices.ts'
import { type Finding, findingsOf } from './finding.ts'
import { XdpFeature } from './xdp-features.ts'

export interface DeviceFacts {
  readonly xdp: XdpPolicy
  readonly devices: readonly NodeDevice[]
  /** By ifindex, as the kernel tells them; undefined: it does not tell (before Linux 6.3). */
  readonly xdpFeatures: ReadonlyMap<number, number> | undefined
  /** Drivers by ifindex; absent for devices without one. */
  readonly drivers: ReadonlyMap<number, string>
  /** Devices whose XDP program is a running or former agent's. */
  readonly ownXdp: ReadonlySet<number>
}

/** Drivers with XDP of their own (since some kernel before 6.3), where the kernel does not tell. */
const XDP_DRIVERS: ReadonlySet<string> = new Set([
  ...[
    'virtio_net',
    'veth',
    'tun',
    'bonding',
    'ena',
    'gve',
    'hv_netvsc',
    'xen-netfront',
    'vmxnet3',
    'igb',
    'igc',
    'ixgbe',
  ],
  ...[
    'ixgbevf',
    'i40e',
    'ice',
    'mlx4_en',
    'mlx5_core',
    'bnxt_en',
    'qede',
    'nfp',
    'sfc',
    'thunder-nic',
    'mvneta',
    'mvpp2',
  ],
  ...['dpaa2-eth', 'fsl_dpaa2_eth', 'enetc', 'fsl_enetc', 'atlantic', 'stmmac', 'cpsw', 'mtk_eth_soc', 'tsnep'],
])

/** Pure. */
export function checkDevices(facts: DeviceFacts): Finding[] {
  const net = facts.devices.filter((device) => device.class === 'net')
  const pods = facts.devices.filter((device) => device.class === 'pod').length
  const { note, error } = findingsOf('devices')
  const findings = net.map((device) => checkDevice(device, facts))
  if (!net.some(({ loopback }) => !loopback)) {
    const remedy =
      'Name them by --devices; by default these are devices that are up and have an address or a default route'
    findings.push(error('no device of the node was found', remedy))
  }
  findings.push(note(pods === 0 ? 'no interface of a pod yet' : `${pods} interfaces of pods`))
  return findings
}

function checkDevice(device: NodeDevice, { xdp, xdpFeatures, drivers, ownXdp }: DeviceFacts): Finding {
  const { ok, note, warning } = findingsOf(`device ${device.name}`)
  if (device.loopback) return ok('tc')
  if (device.overlay) return ok('tc: an overlay, its packets have passed the XDP of the device below')
  if (!device.ethernet) return ok('tc: frames without Ethernet header')
  if (xdp === 'off') return ok('tc: --xdp is off')
  if (xdp === 'auto' && device.veth) return ok('tc: a veth; --xdp native if its peer has an XDP program or GRO on')
  if (xdp === 'generic') return ok('XDP generic, tc')
  if (device.xdpMode !== undefined && !ownXdp.has(device.ifindex)) {
    return warning(
      'tc: another XDP program is attached, and a device has only one',
      'Detach it where XDP is wanted for Services: ip link set dev DEVICE xdp off',
    )
  }
  const driver = drivers.get(device.ifindex)
  const what = driver === undefined ? '' : `, driver ${driver}`
  const features = xdpFeatures?.get(device.ifindex)
  const native = features === undefined ? XDP_DRIVERS.has(driver ?? '') : (features & XdpFeature.BASIC) !== 0
  const source = features === undefined ? ' by its name' : ''
  if (native) return ok(`XDP in the driver${source}, tc${what}`)
  return note(`XDP generic: after the kernel has built its socket buffers; tc${what}`)
}
