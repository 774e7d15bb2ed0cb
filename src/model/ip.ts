// SPDX-License-Identifier: Apache-2.0
/** IP addresses and CIDRs as Kubernetes objects write them: read leniently, written canonically, compared by their bytes. */
import type { IpFamily } from './types.ts'

/** A range of addresses, host bits cleared. */
export interface Cidr {
  /** Canonical: `10.0.0.0/8`, `fd00::/64`. */
  readonly text: string
  readonly family: IpFamily
  /** 16 bytes; IPv4 in its mapped form (RFC 4291, 2.5.5.2). */
  readonly bytes: Uint8Array
  /** Leading bits that count, of 128: 96 more than written for IPv4. */
  readonly bits: number
}

const CANONICAL_IPV4 = /^(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/

const DOT = 0x2e
const ZERO = 0x30
const NINE = 0x39

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
  const bytes = new Uint8Array(16)
  if (!text.includes(':')) {
    bytes[10] = bytes[11] = 0xff
    return readIpv4(text, bytes, 12) ? bytes : undefined
  }
  return readIpv6(text, bytes) ? bytes : undefined
}

/** Canonical text of 16 bytes. */
export function formatAddress(bytes: Uint8Array): string {
  const groups: number[] = []
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0))
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return bytes.subarray(12).join('.')
  const { start, length } = longestZeroRun(groups)
  const hex = groups.map((group) => group.toString(16))
  if (length < 2) return hex.join(':')
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`
}

/** A string that orders as the address's 16 bytes do. */
export function addressKey(address: string): string {
  const bytes = addressBytes(address)
  if (!bytes) throw new TypeError(`Not an IP address: ${address}`)
  return String.fromCharCode(...bytes)
}

/** Reads `address/length`; host bits may be set and are cleared. Undefined when it is no CIDR. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/')
  const length = text.slice(slash + 1)
  const bytes = slash < 0 ? undefined : addressBytes(text.slice(0, slash))
  if (!bytes || !/^\d{1,3}$/.test(length)) return undefined
  const mapped = !text.includes(':')
  const bits = Number(length) + (mapped ? 96 : 0)
  if (bits > 128) return undefined
  for (let bit = bits; bit < 128; bit++) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) & ~(0x80 >> (bit & 7))
  const shown = mapped ? bytes.subarray(12).join('.') : formatAddress(bytes)
  return { text: `${shown}/${Number(length)}`, family: mapped ? 'IPv4' : 'IPv6', bytes, bits }
}

/** Whether a canonical address lies in the range; never across families. */
export function cidrContains(cidr: Cidr, address: string): boolean {
  if (familyOf(address) !== cidr.family) return false
  const bytes = addressBytes(address)
  if (!bytes) return false
  const whole = cidr.bits >> 3
  for (let at = 0; at < whole; at++) if (bytes[at] !== cidr.bytes[at]) return false
  const rest = cidr.bits & 7
  return rest === 0 || ((bytes[whole] ?? 0) ^ (cidr.bytes[whole] ?? 0)) >> (8 - rest) === 0
}

function readIpv4(text: string, bytes: Uint8Array, offset: number): boolean {
  let octet = 0
  let digits = 0
  let count = 0
  for (let at = 0; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : DOT
    if (code >= ZERO && code <= NINE) {
      octet = octet * 10 + code - ZERO
      digits++
      if (octet > 255) return false
    } else {
      if (code !== DOT || digits === 0 || count === 4) return false
      bytes[offset + count++] = octet
      octet = digits = 0
    }
  }
  return count === 4
}

function readIpv6(text: string, bytes: Uint8Array): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  const head = readGroups(halves[0] ?? '', halves.length === 1)
  const tail = halves.length === 2 ? readGroups(halves[1] ?? '', true) : []
  if (!head || !tail) return false
  const missing = 16 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 2) return false
  bytes.set(head)
  bytes.set(tail, 16 - tail.length)
  return true
}

/** Bytes of colon-separated groups; the last may be a dotted quad where nothing follows it. */
function readGroups(text: string, last: boolean): number[] | undefined {
  const bytes: number[] = []
  if (text === '') return bytes
  const groups = text.split(':')
  for (const [index, group] of groups.entries()) {
    if (last && index === groups.length - 1 && group.includes('.')) {
      const quad = new Uint8Array(4)
      if (!readIpv4(group, quad, 0)) return undefined
      bytes.push(...quad)
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined
      const value = Number.parseInt(group, 16)
      bytes.push(value >> 8, value & 0xff)
    }
  }
  return bytes.length <= 16 ? bytes : undefined
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < groups.length; start++) {
    let length = 0
    while (groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
    start += length
  }
  return best
}
