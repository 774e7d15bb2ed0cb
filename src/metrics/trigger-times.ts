// SPDX-License-Identifier: Apache-2.0
/** When the changes were made that wait to be programmed: what the network programming latency is measured from. */

import { HEADLESS_LABEL } from '../model/endpoints-of-slices.ts'
import type { ObjectChange } from '../model/model.ts'
import { serviceKeyOfSlice } from '../model/slice-index.ts'
import type { EndpointSlice, IpFamily } from '../model/types.ts'

/** On a slice: when the Pod or Service changed that made it change, RFC 3339. */
export const TRIGGER_TIME_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time'

export class TriggerTimes {
  readonly #sinceMs: number
  readonly #pending: Readonly<Record<IpFamily, Map<string, number[]>>> = { IPv4: new Map(), IPv6: new Map() }

  /** @param sinceMs Milliseconds since the epoch: what was changed before the agent started says nothing about it. */
  constructor(sinceMs: number) {
    this.#sinceMs = sinceMs
  }

  /** Takes a slice's change in. A deletion has no time of its own, and makes that of earlier changes meaningless. */
  add({ before, after }: ObjectChange<EndpointSlice>): void {
    const slice = after ?? before
    if (slice === undefined || slice.addressType === 'FQDN') return
    if (slice.metadata.labels?.[HEADLESS_LABEL] !== undefined) return
    const service = serviceKeyOfSlice(slice)
    if (service === undefined) return
    const pending = this.#pending[slice.addressType]
    if (after === undefined) {
      pending.delete(service)
      return
    }
    const text = triggerTimeOf(after)
    // Another change of the slice, such as of its labels, leaves the annotation as it was.
    if (text === undefined || (before && triggerTimeOf(before) === text)) return
    const timeMs = Date.parse(text)
    if (Number.isNaN(timeMs) || timeMs < this.#sinceMs) return
    const times = pending.get(service)
    if (times) times.push(timeMs)
    else pending.set(service, [timeMs])
  }

  /** Gives out, once, the times of a family, in milliseconds since the epoch. */
  take(family: IpFamily): number[] {
    const times = [...this.#pending[family].values()].flat()
    this.#pending[family].clear()
    return times
  }
}

function triggerTimeOf(slice: EndpointSlice): string | undefined {
  return slice.metadata.annotations?.[TRIGGER_TIME_ANNOTATION]
}
