// SPDX-License-Identifier: Apache-2.0
/** CIDRs over the 128 bits that an address has in the maps. */

import { type Address, AddressError, isIpv4, MAPPED_PREFIX_BITS, parseAddress } from './address.ts'

/** A range of addresses. */
export interface Cidr {
  /** The host bits are zero. */
  readonly address: Address
  /** 0…128; an IPv4 prefix counts the 96 bits of its mapped form. */
  readonly bits: number
  /** The first `bits` bits are one. */
  readonly mask: Address
}

/**
 * Reads `10.0.0.0/8` or `2001:db8::/32`; blanks around it are ignored and host bits cleared, as kube-proxy does.
 *
 * @throws {AddressError}
 */
export function parseCidr(text: string): Cidr {
  const [host, length, ...rest] = text.trim().split('/')
  if (!host || !length || rest.length > 0 || !/^[0-9]{1,3}$/.test(length)) {
    throw new AddressError(`'${text}' is not a CIDR`)
  }
  const address = parseAddress(host)
  const offset = host.includes(':') ? 0 : MAPPED_PREFIX_BITS
  const bits = Number(length) + offset
  if (bits > 128) throw new AddressError(`'${text}' is not a CIDR: the prefix is too long`)
  const mask = prefixMask(bits)
  return { address: address.map((byte, index) => byte & mask[index]!) as Address, bits, mask }
}

/** 16 bytes whose first `bits` bits are one. */
export function prefixMask(bits: number): Address {
  return Uint8Array.from({ length: 16 }, (_, index) => {
    const ones = Math.min(8, Math.max(0, bits - index * 8))
    return 0xff & ~(0xff >> ones)
  }) as Address
}

/** True when the range holds the address. A range of IPv6 whose prefix is shorter than 96 bits holds no IPv4 address. */
export function cidrContains(cidr: Cidr, address: Uint8Array): boolean {
  if (isIpv4(address) && cidr.bits < MAPPED_PREFIX_BITS) return false
  return cidr.address.every((byte, index) => byte === (address[index]! & cidr.mask[index]!))
}
