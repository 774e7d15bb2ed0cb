// SPDX-License-Identifier: Apache-2.0
/** A lab whose agents find everything there when they start: once it is up, nothing has to be waited for. */

import { createLab, type Lab, type LabOptions } from '../../src/lab/lab.ts'
import type { ManifestObject } from '../../src/lab/manifest.ts'
import type { PodSpec } from '../../src/lab/pod.ts'
import { podPorts } from './objects.ts'

/** A pod of the Service `app`, named after it and its node: `web-a` on `node-a`, `web-a2` for another. */
export function podOf(app: string, place: string): PodSpec {
  return { name: `${app}-${place}`, node: `node-${place[0]}`, labels: { app }, ports: podPorts }
}

export async function labWith(
  options: LabOptions,
  pods: readonly PodSpec[],
  objects: readonly ManifestObject[],
): Promise<Lab> {
  const lab = await createLab({ ...options, agents: false })
  try {
    await lab.pods.create(pods)
    await lab.apply(...objects)
    await Promise.all(lab.nodes.map((node) => lab.agents.start(node)))
    return lab
  } catch (error) {
    await lab.close()
    throw error
  }
}
