// SPDX-License-Identifier: Apache-2.0
/** Where a lab keeps the objects that its agents follow. */

import type { ObjectSet } from '../model/types.ts'
import type { ManifestObject, ObjectName } from './manifest.ts'

export interface LabObjects {
  /** Workloads among them run when it resolves. */
  apply(objects: readonly ManifestObject[]): Promise<void>
  delete(object: ObjectName): Promise<void>
  /** @param workload Name of a Deployment, after its namespace and a dot where that is not `default`. */
  scale(workload: string, replicas: number): Promise<void>
  /** As they are now, with what was allocated and selected. */
  read(): Promise<ObjectSet>
}
