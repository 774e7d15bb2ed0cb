// SPDX-License-Identifier: Apache-2.0
/** EndpointSlices by the Service they belong to, so that one slice's change concerns one Service. */
import { objectKey } from './normalize-metadata.ts'
import type { EndpointSlice } from './types.ts'

/** On a slice: the Service whose endpoints it holds. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name'

/** `namespace/name` of the slice's Service; undefined without the label. */
export function serviceKeyOfSlice(slice: EndpointSlice): string | undefined {
  const name = slice.metadata.labels?.[SERVICE_NAME_LABEL]
  return name ? `${slice.metadata.namespace}/${name}` : undefined
}

export class SliceIndex {
  readonly #byService = new Map<string, Map<string, EndpointSlice>>()

  /**
   * Replaces one slice, either version of which may be undefined.
   *
   * @returns `namespace/name` of the Services concerned: two when the slice moved from one to another.
   */
  replace(before: EndpointSlice | undefined, after: EndpointSlice | undefined): Set<string> {
    const concerned = new Set<string>()
    const from = before && serviceKeyOfSlice(before)
    if (before && from) {
      concerned.add(from)
      const slices = this.#byService.get(from)
      slices?.delete(objectKey(before.metadata))
      if (slices?.size === 0) this.#byService.delete(from)
    }
    const to = after && serviceKeyOfSlice(after)
    if (after && to) {
      concerned.add(to)
      const slices = this.#byService.get(to) ?? new Map<string, EndpointSlice>()
      this.#byService.set(to, slices.set(objectKey(after.metadata), after))
    }
    return concerned
  }

  /** A Service's slices in the order of their names: every node sees the same. */
  slicesOf(serviceKey: string): EndpointSlice[] {
    const slices = [...(this.#byService.get(serviceKey)?.values() ?? [])]
    return slices.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  }
}
