// SPDX-License-Identifier: Apache-2.0
/** A reported packet, as `maglane monitor` prints it. */

import { formatEndpoint, sameAddress, unspecifiedAddress } from '../../abi/address.ts'
import { type Event, flowFlagsNames, hookNames, type ServiceName } from '../../abi/generated.ts'
import { protocolName } from '../../compiler/ip-protocol.ts'
import { monotonicNs } from '../../ffi/clock.ts'
import type { InstanceDevices } from './devices.ts'
import { formatService, formatServicePort } from './service-names.ts'
import { flagWords, kindWord, reasonWord, verdictOf } from './words.ts'

export interface EventRow {
  /** RFC 3339, as exact as the programs' coarse clock: some milliseconds. */
  readonly time: string
  readonly verdict: string
  readonly reason: string
  readonly hook: string
  /** '' for a socket, and for a device that is gone. */
  readonly device: string
  readonly protocol: string
  readonly source: string
  readonly destination: string
  /** After translation; null unless the packet was forwarded. */
  readonly newSource: string | null
  readonly newDestination: string | null
  /** The addresses are those of the packet inside an ICMP error. */
  readonly icmpError: boolean
  readonly kind: string
  readonly service: string
  readonly servicePort: string
  readonly backendId: number
  readonly flags: readonly string[]
  /** On the wire. */
  readonly bytes: number
}

/** @param name of the event's Service port; undefined when it has none. */
export function eventRow(event: Event, name: ServiceName | undefined, devices: InstanceDevices): EventRow {
  const translated = !sameAddress(event.newDst, unspecifiedAddress)
  return {
    time: wallClock(event.timeNs),
    verdict: verdictOf(event.reason),
    reason: reasonWord(event.reason),
    hook: (hookNames[event.hook] ?? String(event.hook)).replace('HOOK_', '').toLowerCase(),
    device: event.ifindex === 0 ? '' : devices.name(event.ifindex),
    protocol: protocolName(event.proto),
    source: formatEndpoint(event.src, event.sport),
    destination: formatEndpoint(event.dst, event.dport),
    newSource: translated ? formatEndpoint(event.newSrc, event.newSport) : null,
    newDestination: translated ? formatEndpoint(event.newDst, event.newDport) : null,
    icmpError: event.icmp !== 0,
    kind: kindWord(event.kind),
    service: formatService(event.service, name),
    servicePort: formatServicePort(event.service, name),
    backendId: event.backend,
    flags: flagWords(event.flags, flowFlagsNames, 'FLOW_F_'),
    bytes: event.length,
  }
}

/** One line for people. */
export function eventLine(row: EventRow): string {
  const where = row.device === '' ? row.hook : `${row.hook}@${row.device}`
  const tuple = `${row.source} → ${row.destination}`
  const after = row.newDestination === null ? '' : ` ⇒ ${row.newSource} → ${row.newDestination}`
  const protocol = row.icmpError ? `ICMP error about ${row.protocol}` : row.protocol
  const service = row.servicePort === '' ? '' : `  ${row.servicePort}`
  return `${row.time.slice(11, 23)}  ${row.reason.padEnd(22)} ${where.padEnd(14)} ${protocol} ${tuple}${after}${service}\n`
}

function wallClock(timeNs: bigint): string {
  const ageMs = Number(monotonicNs() - timeNs) / 1e6
  return new Date(Date.now() - ageMs).toISOString()
}
