// SPDX-License-Identifier: Apache-2.0
/** What a zone answers to a question: a pure function of the two. */

import { canonicalName, isWithin, labelAddress } from './names.ts'
import type { Zone } from './zone.ts'
import { addressRecord, type ZoneRecord } from './zone-record.ts'

export interface Question {
  readonly name: string
  /** `A`, `SRV`, …, `ANY`. */
  readonly type: string
}

export interface ZoneAnswer {
  /** Of the last name in a chain of CNAMEs (RFC 6604). */
  readonly rcode: 'NOERROR' | 'NXDOMAIN'
  readonly answers: readonly ZoneRecord[]
  /** The SOA where there is no answer (RFC 2308): how long the absence may be remembered. */
  readonly authorities: readonly ZoneRecord[]
  /** Addresses of SRV targets. */
  readonly additionals: readonly ZoneRecord[]
  /** Where a CNAME leads out of the zone: the name to go on with, elsewhere. */
  readonly follow: string | undefined
  /** Which of the zone's origins the question lies in. */
  readonly origin: string
}

/** Undefined where the name is in none of the zone's origins. */
export function answer(question: Question, zone: Zone): ZoneAnswer | undefined {
  const origin = originOf(canonicalName(question.name), zone)
  if (origin === undefined) return undefined
  const answers: ZoneRecord[] = []
  const seen = new Set<string>()
  // Who mixes cases to be recognised (0x20) finds the first owner as it asked for it.
  let owner = question.name.replace(/\.$/, '')
  for (;;) {
    const name = canonicalName(owner)
    const zoneOfName = originOf(name, zone)
    if (zoneOfName === undefined) return { ...positive(answers, zone), follow: name, origin }
    const records = lookUp(name, zone)
    if (records === undefined) return { ...negative('NXDOMAIN', answers, zoneOfName, zone), origin }
    const alias = records.find(({ type }) => type === 'CNAME')
    const asked = records.filter(({ type }) => question.type === 'ANY' || type === question.type)
    if (alias === undefined || asked.length > 0) {
      answers.push(...asked.map((record) => ({ ...record, name: owner })))
      if (asked.length > 0) return { ...positive(answers, zone), origin }
      return { ...negative('NOERROR', answers, zoneOfName, zone), origin }
    }
    answers.push({ ...alias, name: owner })
    seen.add(name)
    owner = alias.data as string
    // Services that name each other in a circle: the circle is the answer.
    if (seen.has(canonicalName(owner))) return { ...positive(answers, zone), origin }
  }
}

type Body = Omit<ZoneAnswer, 'origin'>

function positive(answers: readonly ZoneRecord[], zone: Zone): Body {
  const targets = new Set(answers.flatMap((record) => (record.type === 'SRV' ? [record.data.target] : [])))
  const additionals = [...targets].flatMap((target) =>
    (lookUp(target, zone) ?? []).filter(({ type }) => type === 'A' || type === 'AAAA'),
  )
  return { rcode: 'NOERROR', answers, authorities: [], additionals, follow: undefined }
}

function negative(rcode: Body['rcode'], answers: readonly ZoneRecord[], origin: string, zone: Zone): Body {
  const authorities = (lookUp(origin, zone) ?? []).filter(({ type }) => type === 'SOA')
  return { rcode, answers, authorities, additionals: [], follow: undefined }
}

function originOf(name: string, zone: Zone): string | undefined {
  return zone.origins.find((origin) => isWithin(name, origin))
}

/** The records of a canonical name, none where only names below it have some; undefined where there is no such name. */
function lookUp(name: string, zone: Zone): readonly ZoneRecord[] | undefined {
  return zone.names.get(name) ?? podRecords(name, zone)
}

/**
 * `10-244-1-7.default.pod.cluster.local`: the specification demands an answer for every address, be there such a Pod or not
 * (section 2.6), as CoreDNS gives it with `pods insecure`; here in namespaces that exist.
 */
function podRecords(name: string, zone: Zone): readonly ZoneRecord[] | undefined {
  const suffix = `.pod.${zone.domain}`
  if (!name.endsWith(suffix)) return undefined
  const [label = '', namespace = '', ...more] = name.slice(0, -suffix.length).split('.')
  const address = more.length === 0 && zone.namespaces.has(namespace) ? labelAddress(label) : undefined
  return address === undefined ? undefined : [addressRecord(name, address)]
}
