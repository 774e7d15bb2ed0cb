// SPDX-License-Identifier: Apache-2.0
/** IP addresses as the maps hold them: 16 bytes, IPv4 in its mapped form ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */

declare const brand: unique symbol

/** 16 bytes in network order. Treat as immutable. */
export type Address = Uint8Array & { readonly [brand]: true }

/** Bits that a mapped IPv4 prefix is longer than the IPv4 prefix itself. */
export const MAPPED_PREFIX_BITS = 96

/** Text that is no IP address or CIDR. */
export class AddressError extends Error {
  override readonly name = 'AddressError'
  readonly code = 'E_ADDRESS'
}

/** ::, which is no host's address; stands for "none". */
export const unspecifiedAddress = new Uint8Array(16) as Address

/**
 * Reads an IPv4 or IPv6 address. Leading zeros of an octet are read as decimal, as kube-proxy reads them; a zone is
 * refused.
 *
 * @throws {AddressError}
 */
export function parseAddress(text: string): Address {
  const bytes = new Uint8Array(16)
  const known = text.includes(':') ? parseIpv6(text, bytes) : parseMapped(text, bytes)
  if (!known) throw new AddressError(`'${text}' is not an IP address`)
  return bytes as Address
}

/** Takes 4 (IPv4) or 16 bytes in network order; copies them. */
export function addressFromBytes(source: Uint8Array): Address {
  if (source.length !== 4 && source.length !== 16) {
    throw new AddressError(`An address has 4 or 16 bytes, not ${source.length}`)
  }
  const bytes = new Uint8Array(16)
  if (source.length === 4) bytes.fill(0xff, 10, 12)
  bytes.set(source, 16 - source.length)
  return bytes as Address
}

function parseMapped(text: string, bytes: Uint8Array): boolean {
  bytes.fill(0xff, 10, 12)
  return parseOctets(text, bytes)
}

/** Writes dotted decimal to the last four bytes. */
function parseOctets(text: string, bytes: Uint8Array): boolean {
  const octets = text.split('.')
  if (octets.length !== 4) return false
  return octets.every((octet, index) => {
    if (!/^[0-9]+$/.test(octet) || Number(octet) > 255) return false
    bytes[12 + index] = Number(octet)
    return true
  })
}

function parseIpv6(text: string, bytes: Uint8Array): boolean {
  let rest = text
  let groupsExpected = 8
  if (text.includes('.')) {
    const colon = text.lastIndexOf(':')
    if (!parseOctets(text.slice(colon + 1), bytes)) return false
    // The octets stand for two groups; a '::' before them keeps both colons.
    rest = text.slice(0, text[colon - 1] === ':' ? colon + 1 : colon)
    groupsExpected = 6
  }
  const halves = rest.split('::')
  if (halves.length > 2) return false
  const head = splitGroups(halves[0] ?? '')
  const tail = splitGroups(halves[1] ?? '')
  const count = head.length + tail.length
  // '::' stands for at least one group (RFC 4291, 2.2).
  if (halves.length === 2 ? count >= groupsExpected : count !== groupsExpected) return false
  return (
    head.every((group, index) => writeGroup(group, index, bytes)) &&
    tail.every((group, index) => writeGroup(group, groupsExpected - tail.length + index, bytes))
  )
}

function splitGroups(text: string): readonly string[] {
  return text === '' ? [] : text.split(':')
}

function writeGroup(group: string, index: number, bytes: Uint8Array): boolean {
  if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return false
  const value = Number.parseInt(group, 16)
  bytes[index * 2] = value >> 8
  bytes[index * 2 + 1] = value & 0xff
  return true
}

/** True for a mapped IPv4 address. */
export function isIpv4(address: Uint8Array): boolean {
  for (let index = 0; index < 10; index++) if (address[index] !== 0) return false
  return address[10] === 0xff && address[11] === 0xff
}

/** Canonical text: dotted decimal for IPv4, RFC 5952 for IPv6. */
export function formatAddress(address: Uint8Array): string {
  if (isIpv4(address)) return address.subarray(12, 16).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => (address[index * 2]! << 8) | address[index * 2 + 1]!)
  const run = longestZeroRun(groups)
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':')
  if (run.length < 2) return text(groups)
  return `${text(groups.slice(0, run.start))}::${text(groups.slice(run.start + run.length))}`
}

/** The first of the longest runs (RFC 5952, 4.2.3). */
function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
    start += length
  }
  return best
}

/** `10.0.0.1:80`, `[2001:db8::1]:80`. */
export function formatEndpoint(address: Uint8Array, port: number): string {
  const text = formatAddress(address)
  return text.includes(':') ? `[${text}]:${port}` : `${text}:${port}`
}

/** Orders by bytes: every IPv4 address stands together, in numeric order. */
export function compareAddresses(a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index < 16; index++) {
    const difference = a[index]! - b[index]!
    if (difference !== 0) return difference
  }
  return 0
}

/** True when both are the same address. */
export function sameAddress(a: Uint8Array, b: Uint8Array): boolean {
  return compareAddresses(a, b) === 0
}
