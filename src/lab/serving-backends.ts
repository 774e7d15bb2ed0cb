// SPDX-License-Identifier: Apache-2.0
/** What an agent's pinned maps say of a pod. */

import { parseAddress } from '../abi/address.ts'
import { BackendFlags } from '../abi/generated.ts'
import { openPinnedMaps } from '../bpf/maps.ts'

/** True while one of the addresses is a serving backend of any Service, in the maps pinned in a folder. */
export function servesAny(pins: string, addresses: readonly string[]): boolean {
  using open = openPinnedMaps(pins)
  const { backends } = open.maps
  const bytes = Buffer.from(backends.bytes.buffer, backends.bytes.byteOffset, backends.bytes.byteLength)
  return addresses.map(parseAddress).some((address) => {
    // The array holds many more elements than backends: found by their bytes, not read one by one.
    for (let at = bytes.indexOf(address); at !== -1; at = bytes.indexOf(address, at + 1)) {
      const backend = backends.get(Math.floor(at / backends.stride))
      if ((backend.flags & BackendFlags.BE_F_SERVING) !== 0 && Buffer.compare(backend.addr, address) === 0) return true
    }
    return false
  })
}
