// SPDX-License-Identifier: Apache-2.0
/** Follows the Pods of a cluster, as its scheduler and its kubelets do. */

import { setTimeout as delay } from 'node:timers/promises'
import type { ApiServer } from '../source/kubernetes/api-server.ts'
import { list } from '../source/kubernetes/list.ts'
import { DEFAULT_TIMING, SYSTEM_CLOCK } from '../source/kubernetes/timing.ts'
import { watchEvents } from '../source/kubernetes/watch-events.ts'
import type { PodObject } from './pod-object.ts'

const retryMs = 200

export interface PodListener {
  /** Told of each Pod at first, and of each change of one. */
  onPod(pod: PodObject): void
  /** Told of a Pod that the API does not have any more. */
  onPodGone(pod: PodObject): void
}

/** Resolves when the signal aborts; what fails is tried again from the start. */
export async function followPods(api: ApiServer, listener: PodListener, signal: AbortSignal): Promise<void> {
  const request = { path: '/api/v1/pods', selector: {}, timing: DEFAULT_TIMING, clock: SYSTEM_CLOCK, signal }
  const known = new Map<string, PodObject>()
  const take = (pod: PodObject) => {
    known.set(pod.metadata.uid, pod)
    listener.onPod(pod)
  }
  const forget = (pod: PodObject) => {
    if (known.delete(pod.metadata.uid)) listener.onPodGone(pod)
  }
  while (!signal.aborted) {
    try {
      const listed = new Set<string>()
      const resourceVersion = await list(api, request, () => (item) => {
        const pod = item as PodObject
        listed.add(pod.metadata.uid)
        take(pod)
      })
      for (const [uid, pod] of known) if (!listed.has(uid)) forget(pod)
      for await (const events of watchEvents(api, { ...request, resourceVersion, onHead: () => undefined })) {
        for (const { type, object } of events) {
          if (type === 'DELETED') forget(object as PodObject)
          else if (type !== 'BOOKMARK') take(object as PodObject)
        }
      }
    } catch (error) {
      if (signal.aborted) return
      process.stderr.write(`cannot follow the Pods: ${String(error)}\n`)
      await delay(retryMs, undefined, { signal }).catch(() => undefined)
    }
  }
}
