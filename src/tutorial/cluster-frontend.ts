// SPDX-License-Identifier: Apache-2.0
/** A Service's first ClusterIP and port, for stories that call without a pause. */

import type { Lab } from '../lab/lab.ts'
import { LabError } from '../lab/lab-error.ts'
import type { TourFrontend } from '../lab/tour.ts'
import { loadManifests } from '../source/manifests.ts'

/** @param service `namespace/name` */
export async function clusterFrontend(lab: Lab, service: string): Promise<TourFrontend> {
  const spec = (await loadManifests(lab.manifests)).objects.services.get(service)?.spec
  const [address] = spec?.clusterIPs ?? []
  const [port] = spec?.ports ?? []
  if (address === undefined || port === undefined)
    throw new LabError('LAB_NOT_FOUND', `no Service ${service} with a ClusterIP`)
  return { service, portName: port.name, kind: 'clusterIP', proto: 'tcp', address, port: port.port }
}
