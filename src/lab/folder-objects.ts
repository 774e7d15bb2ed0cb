// SPDX-License-Identifier: Apache-2.0
/** A lab's objects as a folder of manifests, which the agents watch; the lab is scheduler and kubelet. */

import type { ObjectSet } from '../model/types.ts'
import { loadManifests } from '../source/manifests.ts'
import type { LabObjects } from './lab-objects.ts'
import { deleteManifest, type ManifestObject, type ObjectName, writeManifest } from './manifest.ts'
import { isWorkload, type Workloads } from './workloads.ts'

export class FolderObjects implements LabObjects {
  readonly #folder: string
  readonly #workloads: Workloads

  constructor(folder: string, workloads: Workloads) {
    this.#folder = folder
    this.#workloads = workloads
  }

  async apply(objects: readonly ManifestObject[]): Promise<void> {
    for (const object of objects) {
      if (isWorkload(object)) await this.#workloads.apply(object)
      else await writeManifest(this.#folder, object)
    }
  }

  async delete(object: ObjectName): Promise<void> {
    await deleteManifest(this.#folder, object)
  }

  async scale(workload: string, replicas: number): Promise<void> {
    await this.#workloads.scale(workload, replicas)
  }

  async read(): Promise<ObjectSet> {
    return (await loadManifests(this.#folder)).objects
  }
}
