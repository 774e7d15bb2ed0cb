// SPDX-License-Identifier: Apache-2.0
/** Reads tables as a packet does: frontend, set, slot, backend. */

import assert from 'node:assert/strict'
import { formatAddress, formatEndpoint } from '../../src/abi/address.ts'
import {
  BackendFlags,
  type BackendSet,
  backendCodec,
  FrontendFlags,
  frontendCodec,
  frontendKeyCodec,
  memberCodec,
  memberKeyCodec,
} from '../../src/abi/generated.ts'
import { decoded } from '../../src/abi/runtime.ts'
import { bitOfBytes } from '../../src/dataplane/filter-bits.ts'
import type { Tables } from '../../src/dataplane/tables.ts'

function endpointsOf(tables: Tables, set: BackendSet, affinityId: bigint): string[] {
  const view = new DataView(tables.backends.buffer)
  const endpoints = new Set<string>()
  for (let slot = 0; slot < set.slots; slot++) {
    const id = tables.arena[set.offset + slot] as number
    assert.notEqual(id, 0, `slot ${slot} of ${set.slots} names no backend`)
    const backend = backendCodec.decode(view, id * backendCodec.size)
    assert.ok(backend.flags & BackendFlags.BE_F_SERVING, `backend ${id} is named but does not serve`)
    assert.equal(backend.affinityId, affinityId, `backend ${id} is another Service's`)
    endpoints.add(formatEndpoint(backend.addr, backend.port))
  }
  return [...endpoints].sort()
}

/** What each frontend leads to, and whether a packet may see it as it is now; throws when not. */
export function readTables(tables: Tables): Record<string, { internal: string[]; external: string[] }> {
  const result: Record<string, { internal: string[]; external: string[] }> = {}
  const frontends = [...tables.frontends.entries()].map(
    ([key, value]) => [decoded(frontendKeyCodec, key), decoded(frontendCodec, value)] as const,
  )
  for (const [key, value] of frontends) {
    const bit = bitOfBytes(key.addr, key.port, key.proto)
    assert.ok((tables.filter[bit >>> 5] as number) & (1 << (bit & 31)), 'the filter hides a frontend')
    if (value.flags & FrontendFlags.FE_F_WILDCARD) {
      result[`${formatAddress(key.addr)}:*`] = { internal: [], external: [] }
      continue
    }
    const [internal, external] = value.sets as [BackendSet, BackendSet]
    result[`${formatEndpoint(key.addr, key.port)}/${key.proto}`] = {
      internal: endpointsOf(tables, internal, value.affinityId),
      external: endpointsOf(tables, external, value.affinityId),
    }
  }
  return result
}

/** Which backend ids each set has as members. */
export function readMembers(tables: Tables): Map<number, number[]> {
  const members = new Map<number, number[]>()
  for (const [key, value] of tables.members.entries()) {
    const { set } = decoded(memberKeyCodec, key)
    members.set(set, [...(members.get(set) ?? []), decoded(memberCodec, value).backend])
  }
  return members
}
