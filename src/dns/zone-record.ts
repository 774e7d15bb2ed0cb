// SPDX-License-Identifier: Apache-2.0
/** The resource records of a cluster's zone, in the form that the wire format's library takes. */

import type { SoaAnswer, SrvAnswer, StringAnswer, TxtAnswer } from 'dns-packet'
import { familyOf } from '../model/ip.ts'

export type ZoneRecord = StringAnswer | SrvAnswer | TxtAnswer | SoaAnswer

/** Seconds. What CoreDNS gives: short, because clients that cache would hold on to Pods that are gone. */
export const TTL = 5

/** RFC 2782 leaves them to the zone's owner: every target is as good as the others. */
const SRV_PRIORITY = 0
const SRV_WEIGHT = 100

/** A or AAAA, by the canonical address. */
export function addressRecord(name: string, address: string): ZoneRecord {
  return { name, type: familyOf(address) === 'IPv4' ? 'A' : 'AAAA', ttl: TTL, data: address }
}

export function nameRecord(type: 'CNAME' | 'PTR', name: string, target: string): ZoneRecord {
  return { name, type, ttl: TTL, data: target }
}

export function srvRecord(name: string, port: number, target: string): ZoneRecord {
  return { name, type: 'SRV', ttl: TTL, data: { priority: SRV_PRIORITY, weight: SRV_WEIGHT, port, target } }
}

export function txtRecord(name: string, text: string): ZoneRecord {
  return { name, type: 'TXT', ttl: TTL, data: text }
}

/** @param serial Greater for each later state of the zone. */
export function soaRecord(origin: string, domain: string, serial: number): ZoneRecord {
  const mname = `ns.dns.${domain}`
  const times = { refresh: 7200, retry: 1800, expire: 86_400, minimum: TTL }
  return { name: origin, type: 'SOA', ttl: TTL, data: { mname, rname: `hostmaster.${domain}`, serial, ...times } }
}
