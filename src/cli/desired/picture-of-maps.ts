// SPDX-License-Identifier: Apache-2.0
/** The picture that an instance's maps show. */

import { formatEndpoint } from '../../abi/address.ts'
import { BackendFlags, type BackendSet, type Frontend, FrontendFlags } from '../../abi/generated.ts'
import { protocolName } from '../../compiler/ip-protocol.ts'
import type { Live } from '../live/live.ts'
import { emptyWord, kindWord } from '../live/words.ts'
import { isWildcard } from '../views/frontends.ts'
import { formatPrefix } from './format-prefix.ts'
import type { FrontendPicture, Picture, SetPicture } from './picture.ts'

export function pictureOfMaps(live: Live): Picture {
  const ranges = readSourceRanges(live)
  const picture = new Map<string, FrontendPicture>()
  for (const [key, frontend] of live.maps.frontends.entries()) {
    if (isWildcard(frontend)) continue
    const name = `${formatEndpoint(key.addr, key.port)}/${protocolName(key.proto)}`
    picture.set(name, frontendPicture(live, frontend, ranges.get(frontend.service) ?? []))
  }
  return picture
}

function frontendPicture(live: Live, frontend: Frontend, ranges: readonly string[]): FrontendPicture {
  const [internal, external] = frontend.sets as [BackendSet, BackendSet]
  const { flags } = frontend
  return {
    service: live.names.servicePort(frontend.service),
    kind: kindWord(frontend.kind),
    internal: setPicture(live, internal),
    external: setPicture(live, external),
    affinitySeconds: frontend.affinityS,
    loopback: (flags & FrontendFlags.FE_F_LOOPBACK) !== 0,
    sourceRanges: (flags & FrontendFlags.FE_F_SOURCE_RANGES) === 0 ? null : ranges,
  }
}

function setPicture({ maps, sets }: Live, set: BackendSet): SetPicture {
  if (set.slots === 0) return emptyWord(set.empty)
  return sets
    .backends(set)
    .map((id) => {
      const { addr, port, flags } = maps.backends.get(id)
      return `${formatEndpoint(addr, port)}${flags & BackendFlags.BE_F_LOCAL ? ' local' : ''}`
    })
    .sort()
}

/** By the id of the Service port. */
function readSourceRanges({ maps }: Live): ReadonlyMap<number, readonly string[]> {
  const ranges = new Map<number, string[]>()
  for (const [{ service, prefixlen, addr }] of maps.source_ranges.entries()) {
    // The trie's key begins with the 32 bits of the Service's id.
    const range = formatPrefix(addr, prefixlen - 32)
    const known = ranges.get(service)
    if (known === undefined) ranges.set(service, [range])
    else known.push(range)
  }
  for (const list of ranges.values()) list.sort()
  return ranges
}
