// SPDX-License-Identifier: Apache-2.0
/** CIDRs as text. */

import { formatAddress, isIpv4, MAPPED_PREFIX_BITS } from '../../abi/address.ts'

/** @param bits as the maps count them: an IPv4 prefix has the 96 of its mapped form besides. */
export function formatPrefix(address: Uint8Array, bits: number): string {
  return `${formatAddress(address)}/${isIpv4(address) ? bits - MAPPED_PREFIX_BITS : bits}`
}
