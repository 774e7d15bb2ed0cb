// SPDX-License-Identifier: Apache-2.0
/** IP addresses and CIDRs as Kubernetes objects write them: read leniently, written canonically, compared by their bytes. */
import { AddressError, formatAddress, MAPPED_PREFIX_BITS, parseAddress } from '../abi/address.ts'
import { type Cidr as AddressRange, parseCidr as parseRange, cidrContains as rangeContains } from '../abi/cidr.ts'
import type { IpFamily } from './types.ts'

/** A range of addresses, host bits cleared. */
export interface Cidr extends AddressRange {
  /** Canonical: `10.0.0.0/8`, `fd00::/64`. */
  readonly text: string
  readonly family: IpFamily
}

const CANONICAL_IPV4 = /^(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/

/** What IPv4 addresses begin with in their mapped form. */
const MAPPED_PREFIX = `${'\0'.repeat(10)}\xff\xff`

/**
 * Reads an address as kube-proxy does (k8s.io/utils/net ParseIPSloppy): leading zeros of an IPv4 octet are decimal, an
 * IPv4-mapped IPv6 address is the IPv4 address. RFC 5952 for IPv6; undefined when it is no address.
 */
export function canonicalAddress(text: string): string | undefined {
  if (CANONICAL_IPV4.test(text)) return text
  const bytes = addressBytes(text)
  return bytes && formatAddress(bytes)
}

/** The family of a canonical address. */
export function familyOf(address: string): IpFamily {
  return address.includes(':') ? 'IPv6' : 'IPv4'
}

/** True for 127.0.0.0/8 and ::1, canonical. */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1'
}

/** The 16 bytes of an address, IPv4 mapped; undefined when it is none. */
export function addressBytes(text: string): Uint8Array | undefined {
  try {
    return parseAddress(text)
  } catch (error) {
    if (error instanceof AddressError) return undefined
    throw error
  }
}

/** A string that orders as the canonical address's 16 bytes do. */
export function addressKey(address: string): string {
  if (!address.includes(':')) return MAPPED_PREFIX + String.fromCharCode(...address.split('.').map(Number))
  return String.fromCharCode(...parseAddress(address))
}

/** Reads `address/length`; host bits may be set and are cleared. Undefined when it is no CIDR. */
export function parseCidr(text: string): Cidr | undefined {
  try {
    const range = parseRange(text)
    const family = text.includes(':') ? 'IPv6' : 'IPv4'
    const length = range.bits - (family === 'IPv4' ? MAPPED_PREFIX_BITS : 0)
    return { ...range, family, text: `${formatAddress(range.address)}/${length}` }
  } catch (error) {
    if (error instanceof AddressError) return undefined
    throw error
  }
}

/** Whether a canonical address lies in the range; never across families. */
export function cidrContains(cidr: Cidr, address: string): boolean {
  return familyOf(address) === cidr.family && rangeContains(cidr, parseAddress(address))
}
