// SPDX-License-Identifier: Apache-2.0
/** Whether a pod is ready: all of its containers are. */

import type { LabNode } from './nodes.ts'
import type { LabPod } from './pod.ts'
import { followReadiness } from './readiness.ts'

/** Says so at first and after each change, until the signal aborts. A pod without probes is ready as long as it runs. */
export async function followPodReadiness(
  pod: LabPod,
  node: LabNode,
  signal: AbortSignal,
  onChange: (ready: boolean) => void,
): Promise<void> {
  const ready = pod.containers.map(() => false)
  const follow = pod.containers.map((container, index) =>
    followReadiness(container, pod, node, signal, (isReady) => {
      ready[index] = isReady
      onChange(!ready.includes(false))
    }),
  )
  await Promise.all(follow)
}

export function hasProbes({ containers }: LabPod): boolean {
  return containers.some(({ readinessProbe }) => readinessProbe !== undefined)
}
