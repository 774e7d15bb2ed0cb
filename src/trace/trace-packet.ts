// SPDX-License-Identifier: Apache-2.0
/** The packet that is asked about: from the words of the command line or of a JSON line. */

import { type Address, AddressError, formatEndpoint, isIpv4, parseAddress } from '../abi/address.ts'
import type { Protocol } from '../model/types.ts'

/** Where the client is, which decides the hook that its packet meets first. */
export type ClientPlace = 'pod' | 'host' | 'external'
export const clientPlaces: readonly ClientPlace[] = ['pod', 'host', 'external']

const protocols: Readonly<Record<string, Protocol>> = { tcp: 'TCP', udp: 'UDP', sctp: 'SCTP' }

/** The client's port where none is given: ephemeral on every system (RFC 6335, 6), so that no Service has it. */
export const DEFAULT_SOURCE_PORT = 54321

export interface TracePacket {
  readonly source: Endpoint
  readonly destination: Endpoint
  readonly protocol: Protocol
  /** Undefined: to be told by the source's address. */
  readonly from: ClientPlace | undefined
}

export interface Endpoint {
  readonly address: Address
  readonly port: number
}

/** A packet that cannot be made. */
export class TracePacketError extends Error {
  override readonly name = 'TracePacketError'
  readonly code = 'E_TRACE_PACKET'
}

/** A packet as text; the keys are those of a JSON line. */
export interface PacketText {
  /** `10.0.0.2:40000`, `[fd00::2]:40000`, or the address alone. */
  readonly src: string
  readonly dst: string
  /** Default tcp. */
  readonly proto?: string | undefined
  readonly from?: string | undefined
}

/** @throws {TracePacketError} that names the field. */
export function readPacket({ src, dst, proto = 'tcp', from }: PacketText): TracePacket {
  const source = readEndpoint('src', src, DEFAULT_SOURCE_PORT)
  const destination = readEndpoint('dst', dst, undefined)
  if (isIpv4(source.address) !== isIpv4(destination.address)) {
    throw new TracePacketError(`src and dst must be of one IP family, got '${src}' and '${dst}'`)
  }
  const word = proto.toLowerCase()
  const protocol = Object.hasOwn(protocols, word) ? protocols[word] : undefined
  if (protocol === undefined) throw expected('proto', Object.keys(protocols).join(', '), proto)
  return { source, destination, protocol, from: from === undefined ? undefined : readPlace(from) }
}

/**
 * Reads one line of `--packets`.
 *
 * @param defaults For what lines do not say.
 * @throws {TracePacketError}
 */
export function readPacketLine(line: string, defaults: Pick<PacketText, 'proto' | 'from'> = {}): TracePacket {
  const fields = parseObject(line)
  const text = (name: string): string | undefined => {
    const value = fields[name]
    if (value === undefined || value === null) return undefined
    if (typeof value !== 'string') throw expected(name, 'text', JSON.stringify(value))
    return value
  }
  const required = (name: string) => {
    const value = text(name)
    if (value === undefined) throw new TracePacketError(`${name} is missing`)
    return value
  }
  return readPacket({
    src: required('src'),
    dst: required('dst'),
    proto: text('proto') ?? defaults.proto,
    from: text('from') ?? defaults.from,
  })
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new TracePacketError(`Expected a JSON object: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TracePacketError(`Expected a JSON object, got '${line}'`)
  return value as Record<string, unknown>
}

function readPlace(text: string): ClientPlace {
  return clientPlaces.find((place) => place === text) ?? fail('from', clientPlaces.join(', '), text)
}

function readEndpoint(name: string, text: string, defaultPort: number | undefined): Endpoint {
  const trimmed = text.trim()
  const [, bracketed, bare, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(trimmed) ?? []
  // An IPv6 address without brackets leaves no room for a port.
  const address = readAddress(bracketed ?? bare ?? trimmed)
  if (address === undefined || (bracketed !== undefined && !bracketed.includes(':')))
    return fail(name, 'IP:PORT, an IPv6 address in brackets', text)
  const port = digits === undefined ? defaultPort : Number(digits)
  if (port === undefined) throw new TracePacketError(`${name} has no port: '${text}'`)
  if (port < 1 || port > 65_535) return fail(name, 'a port from 1 to 65535', text)
  return { address, port }
}

function readAddress(text: string): Address | undefined {
  try {
    return parseAddress(text)
  } catch (error) {
    if (error instanceof AddressError) return undefined
    throw error
  }
}

function fail(name: string, wanted: string, got: string): never {
  throw expected(name, wanted, got)
}

function expected(name: string, wanted: string, got: string): TracePacketError {
  return new TracePacketError(`${name}: expected ${wanted}, got '${got}'`)
}

/** `TCP 10.0.0.2:40000 → 10.96.0.1:80`. */
export function formatPacket({ source, destination, protocol }: TracePacket): string {
  const [from, to] = [source, destination].map(({ address, port }) => formatEndpoint(address, port))
  return `${protocol} ${from} → ${to}`
}
