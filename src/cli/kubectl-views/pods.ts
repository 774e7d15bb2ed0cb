// SPDX-License-Identifier: Apache-2.0
/** `kubectl get pods`, as far as a manifest tells. */

import type { Pod } from '../../source/pod.ts'
import { ageOf } from './age.ts'
import type { KubectlView } from './kubectl-view.ts'

export const podsView: KubectlView<Pod> = {
  apiVersion: 'v1',
  kind: 'Pod',
  plural: 'pods',
  objects: ({ pods }) => pods.values(),
  columns: [
    { title: 'NAME', cell: ({ metadata }) => metadata.name },
    { title: 'READY', cell: readyContainers },
    { title: 'STATUS', cell: statusWord },
    // Nobody restarts the containers of a manifest.
    { title: 'RESTARTS', cell: () => '0' },
    { title: 'AGE', cell: ({ metadata }, { nowMs }) => ageOf(metadata, nowMs) },
    { title: 'IP', cell: ({ status }) => status.podIPs[0] ?? '<none>', wide: true },
    { title: 'NODE', cell: ({ spec }) => spec.nodeName ?? '<none>', wide: true },
    { title: 'NOMINATED NODE', cell: () => '<none>', wide: true },
    { title: 'READINESS GATES', cell: () => '<none>', wide: true },
  ],
}

/** Pods have one word for all their containers. */
function readyContainers({ spec, status }: Pod): string {
  const count = spec.containers.length
  return `${status.ready && status.podIPs.length > 0 ? count : 0}/${count}`
}

function statusWord({ metadata, status }: Pod): string {
  const { phase = status.podIPs.length > 0 ? 'Running' : 'Pending' } = status
  const ended = phase === 'Succeeded' || phase === 'Failed'
  if (metadata.deletionTimestamp !== undefined && !ended) return 'Terminating'
  return phase === 'Succeeded' ? 'Completed' : phase === 'Failed' ? 'Error' : phase
}
