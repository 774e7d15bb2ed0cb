// SPDX-License-Identifier: Apache-2.0
/** The folder of manifests that a command shows, completed as controllers would. */

import { CONFIG_FLAGS } from '../../config/flags.ts'
import { loadConfig } from '../../config/load-config.ts'
import type { Manifests } from '../../source/derive-objects.ts'
import { loadManifests } from '../../source/manifests.ts'
import { type Io, type Options, UsageError, type Values } from '../command.ts'
import { sayErrors } from '../desired/desired.ts'

export const manifestOptions = {
  manifests: { type: 'string', short: 'm', placeholder: 'DIR', description: 'Folder of manifests' },
  'service-cidr': CONFIG_FLAGS['service-cidr'],
  'node-port-range': CONFIG_FLAGS['node-port-range'],
} as const satisfies Options

/** What is wrong with the objects goes to standard error. @throws UsageError without a folder */
export async function readManifests(
  values: Values<typeof manifestOptions>,
  io: Pick<Io, 'stderr'>,
): Promise<Manifests> {
  if (values.manifests === undefined) throw new UsageError('--manifests DIR is missing')
  const { config } = await loadConfig({
    'service-cidr': values['service-cidr'],
    'node-port-range': values['node-port-range'],
  })
  const manifests = await loadManifests(values.manifests, {
    ...(config.serviceCidrs.length > 0 ? { serviceCidrs: config.serviceCidrs } : {}),
    nodePortRange: config.nodePortRange,
  })
  sayErrors(manifests.errors, io)
  return manifests
}
