// SPDX-License-Identifier: Apache-2.0
/** A frontend as clients meet it, whatever ids and places it has in the maps: what `diff` compares. */

export interface FrontendPicture {
  /** `namespace/name:port`. */
  readonly service: string
  readonly kind: string
  /** What pods of this cluster and the node itself get: backends, sorted; or what an empty set answers. */
  readonly internal: SetPicture
  /** What the others get. */
  readonly external: SetPicture
  /** Seconds; 0 without affinity. */
  readonly affinitySeconds: number
  /** Only for processes of the node. */
  readonly loopback: boolean
  /** Sorted; null: everyone. */
  readonly sourceRanges: readonly string[] | null
}

export type SetPicture = readonly BackendPicture[] | 'reject' | 'drop'

/** `10.1.0.1:80`, followed by ` local` where it is on this node. */
export type BackendPicture = string

/** By `10.96.0.1:80/TCP`. */
export type Picture = ReadonlyMap<string, FrontendPicture>

export interface PictureDiff {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly FrontendChange[]
}

export interface FrontendChange {
  readonly frontend: string
  /** Properties that differ: what they are, and what they should be. */
  readonly fields: Readonly<Record<string, { readonly live: unknown; readonly desired: unknown }>>
}

/** What must happen to `live` so that it is `desired`; everything is sorted by frontend. */
export function diffPictures(desired: Picture, live: Picture): PictureDiff {
  const changed: FrontendChange[] = []
  for (const [frontend, wanted] of desired) {
    const found = live.get(frontend)
    const fields = found === undefined ? {} : differingFields(wanted, found)
    if (Object.keys(fields).length > 0) changed.push({ frontend, fields })
  }
  return {
    added: [...desired.keys()].filter((frontend) => !live.has(frontend)).sort(),
    removed: [...live.keys()].filter((frontend) => !desired.has(frontend)).sort(),
    changed: changed.sort((a, b) => (a.frontend < b.frontend ? -1 : 1)),
  }
}

function differingFields(desired: FrontendPicture, live: FrontendPicture): FrontendChange['fields'] {
  const names = Object.keys(desired) as (keyof FrontendPicture)[]
  return Object.fromEntries(
    names
      .filter((name) => JSON.stringify(desired[name]) !== JSON.stringify(live[name]))
      .map((name) => [name, { live: live[name], desired: desired[name] }]),
  )
}
