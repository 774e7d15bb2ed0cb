// SPDX-License-Identifier: Apache-2.0
/** DNS names: how they are compared, and how addresses become names and labels. */

import { addressBytes, canonicalAddress, familyOf } from '../model/ip.ts'

/** Zones of reverse names (RFC 1035, 3.5; RFC 3596, 2.5). */
export const REVERSE_ZONES = ['in-addr.arpa', 'ip6.arpa'] as const

/** RFC 1035, 2.3.4; a name's text has no byte for the root, and none for the first label's length. */
const MAX_NAME_LENGTH = 253

/** The form that names are compared in: lower case for ASCII letters alone (RFC 4343), no dot at the end. */
export function canonicalName(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()).replace(/\.$/, '')
}

/** Whether a text can be one label of a host's or a service's name. */
export function isLabel(text: string): boolean {
  return /^[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?$/i.test(text)
}

/** Whether a text, without a dot at its end, can stand on the wire. */
export function isName(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && text.split('.').every(isLabel)
}

/** Whether a canonical name is that of a zone or lies below it. */
export function isWithin(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`)
}

/** `1.0.96.10.in-addr.arpa` for the canonical address 10.96.0.1; its nibbles below ip6.arpa for IPv6. */
export function reverseName(address: string): string {
  if (familyOf(address) === 'IPv4') return `${address.split('.').reverse().join('.')}.in-addr.arpa`
  const nibbles = Buffer.from(addressBytes(address) ?? []).toString('hex')
  return `${[...nibbles].reverse().join('.')}.ip6.arpa`
}

/** `10-244-1-7` for 10.244.1.7, `fd00--7` for fd00::7. A label neither begins nor ends with a hyphen: `0--1` for ::1. */
export function addressLabel(address: string): string {
  return address.replace(/[.:]/g, '-').replace(/^-/, '0-').replace(/-$/, '-0')
}

/** The canonical address that {@link addressLabel}, or a longer way to write it, stands for; undefined for another label. */
export function labelAddress(label: string): string | undefined {
  const ipv4 = /^\d+-\d+-\d+-\d+$/.test(label)
  const address = canonicalAddress(label.replaceAll('-', ipv4 ? '.' : ':'))
  return address !== undefined && familyOf(address) === (ipv4 ? 'IPv4' : 'IPv6') ? address : undefined
}
