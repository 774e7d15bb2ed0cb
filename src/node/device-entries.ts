// SPDX-License-Identifier: Apache-2.0
/** The content of the devices map. */

import { parseAddress, unspecifiedAddress } from '../abi/address.ts'
import { type Device, DeviceFlags } from '../abi/generated.ts'
import type { LocalDetector } from '../config/local-detector.ts'
import { familyOf } from '../model/ip.ts'
import type { IpFamily } from '../model/types.ts'
import type { NodeDevice } from './classify-devices.ts'

export interface DeviceEntriesInput {
  readonly devices: readonly NodeDevice[]
  readonly detector: LocalDetector
  /** Packets between ports of a bridge pass netfilter. */
  readonly bridgeNetfilter: boolean
  /** The mode in which XDP runs on a device, by ifindex. */
  readonly xdpModes: ReadonlyMap<number, 'native' | 'generic'>
}

/** The device that holds the node's address: of the default route, else the first with an address. */
export function primaryDevice(devices: readonly NodeDevice[]): NodeDevice | undefined {
  const holders = devices.filter((device) => device.class === 'net' && !device.loopback && device.addresses.length > 0)
  return holders.find((device) => device.defaultRoute) ?? holders[0]
}

function inCluster(device: NodeDevice, detector: LocalDetector): boolean {
  if (detector.kind === 'bridge') return device.name === detector.device || device.master === detector.device
  return detector.kind === 'prefix' && device.name.startsWith(detector.prefix)
}

function flagsOf(device: NodeDevice, input: DeviceEntriesInput): number {
  const modes = [...input.xdpModes.values()]
  // A driver's XDP hands frames to drivers with XDP alone; the generic one sends to any device.
  const sends = modes.includes('native')
    ? input.xdpModes.get(device.ifindex) === 'native'
    : modes.length > 0 && device.class === 'net' && device.ethernet
  const pod = device.class === 'pod'
  return (
    (sends ? DeviceFlags.DEV_F_XDP : 0) |
    (pod ? DeviceFlags.DEV_F_POD : 0) |
    (pod && device.master !== undefined && !input.bridgeNetfilter ? DeviceFlags.DEV_F_L2_REPLY : 0) |
    (inCluster(device, input.detector) ? DeviceFlags.DEV_F_IN_CLUSTER : 0) |
    (device.ethernet || device.loopback ? 0 : DeviceFlags.DEV_F_NO_ETH)
  )
}

/** Entries by ifindex; pure. */
export function deviceEntries(input: DeviceEntriesInput): ReadonlyMap<number, Device> {
  const indices = new Map(input.devices.map((device) => [device.name, device.ifindex]))
  const primary = primaryDevice(input.devices)
  const address = (device: NodeDevice, family: IpFamily) => {
    const own = device.addresses.find((text) => familyOf(text) === family)
    const text = own ?? primary?.addresses.find((candidate) => familyOf(candidate) === family)
    return text === undefined ? unspecifiedAddress : parseAddress(text)
  }
  return new Map(
    input.devices.map((device): [number, Device] => [
      device.ifindex,
      {
        flags: flagsOf(device, input),
        master: device.loopback ? (primary?.ifindex ?? 0) : (indices.get(device.master ?? '') ?? 0),
        addr4: address(device, 'IPv4'),
        addr6: address(device, 'IPv6'),
        mac: device.mac,
      },
    ]),
  )
}
