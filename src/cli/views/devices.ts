// SPDX-License-Identifier: Apache-2.0
/** `get devices`: what programs know of the node's devices. */

import { formatAddress, sameAddress, unspecifiedAddress } from '../../abi/address.ts'
import { deviceFlagsNames } from '../../abi/generated.ts'
import { flagWords } from '../live/words.ts'
import type { View } from './view.ts'

export interface DeviceRow {
  readonly ifindex: number
  /** '' when it is gone, or in another network namespace than this process. */
  readonly device: string
  readonly flags: readonly string[]
  /** The bridge it is a port of, its ifindex where it has no name here; '' for none. */
  readonly master: string
  /** Source addresses of last resort. */
  readonly addresses: readonly string[]
}

export const devicesView: View<DeviceRow> = {
  none: 'No devices',
  columns: [
    { title: 'ifindex', cell: (row) => row.ifindex, align: 'right' },
    { title: 'device', cell: (row) => row.device },
    { title: 'flags', cell: (row) => row.flags.join(',') },
    { title: 'master', cell: (row) => row.master },
    { title: 'addresses', cell: (row) => row.addresses.join(',') },
  ],
  rows: ({ maps, devices }) =>
    Array.from(maps.devices.entries(), ([ifindex, { flags, master, addr4, addr6 }]) => ({
      ifindex,
      device: devices.name(ifindex),
      flags: flagWords(flags, deviceFlagsNames, 'DEV_F_'),
      master: master === 0 ? '' : devices.name(master) || String(master),
      addresses: [addr4, addr6].filter((address) => !sameAddress(address, unspecifiedAddress)).map(formatAddress),
    })).sort((a, b) => a.ifindex - b.ifindex),
  services: () => [],
}
