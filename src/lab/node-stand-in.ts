// SPDX-License-Identifier: Apache-2.0
/** Stands in for the kubelet of one node: makes the Pods that are bound to it into pods of the lab. */

import { podPlaceName } from './pod.ts'
import { PodLife, type PodLifeOptions } from './pod-life.ts'
import type { PodObject } from './pod-object.ts'

export class NodeStandIn {
  readonly #options: PodLifeOptions
  /** By uid. */
  readonly #lives = new Map<string, PodLife>()
  /** By place: a StatefulSet's next Pod has the name of the one before, and waits until that one's place is empty. */
  readonly #ends = new Map<string, Promise<void>>()

  constructor(options: PodLifeOptions) {
    this.#options = options
  }

  onPod(object: PodObject): void {
    const { metadata, spec } = object
    if (spec.nodeName !== this.#options.node.name) return
    const life = this.#lives.get(metadata.uid) ?? this.#begin(object)
    if (metadata.deletionTimestamp !== undefined) life.end(metadata.deletionGracePeriodSeconds ?? 0)
  }

  onPodGone({ metadata }: PodObject): void {
    this.#lives.get(metadata.uid)?.forget()
    this.#lives.delete(metadata.uid)
  }

  #begin(object: PodObject): PodLife {
    const { uid, namespace, name } = object.metadata
    const life = new PodLife(object, this.#options)
    const place = podPlaceName(object.metadata)
    const before = this.#ends.get(place) ?? Promise.resolve()
    const end = before
      .then(() => life.run())
      .catch((error: unknown) => void process.stderr.write(`pod ${namespace}/${name}: ${String(error)}\n`))
      .finally(() => {
        if (this.#ends.get(place) === end) this.#ends.delete(place)
      })
    this.#lives.set(uid, life)
    this.#ends.set(place, end)
    return life
  }
}
