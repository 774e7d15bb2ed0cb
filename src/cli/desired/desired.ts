// SPDX-License-Identifier: Apache-2.0
/** What a folder of manifests asks of a node: the plans that `compile` prints and `diff` compares. */

import type { Config } from '../../config/config.ts'
import { CONFIG_FLAGS } from '../../config/flags.ts'
import { loadConfig } from '../../config/load-config.ts'
import { updateModel } from '../../model/model.ts'
import { nodeContext } from '../../model/node-context.ts'
import type { NodeContext, ObjectError, ServicePlan } from '../../model/types.ts'
import type { Manifests } from '../../source/derive-objects.ts'
import { loadManifests } from '../../source/manifests.ts'
import { type Io, type Options, UsageError, type Values } from '../command.ts'

const { config, node, 'node-ip': nodeIp, 'nodeport-addresses': nodePortAddresses } = CONFIG_FLAGS

/** The flags that a plan depends on. */
export const desiredOptions = {
  manifests: { type: 'string', short: 'm', placeholder: 'DIR', description: 'Folder of manifests' },
  ...{ config, node, 'node-ip': nodeIp, 'nodeport-addresses': nodePortAddresses },
  'localhost-nodeports': CONFIG_FLAGS['localhost-nodeports'],
  'service-cidr': CONFIG_FLAGS['service-cidr'],
  'node-port-range': CONFIG_FLAGS['node-port-range'],
  seed: CONFIG_FLAGS.seed,
} as const satisfies Options

export interface Desired {
  readonly plans: ReadonlyMap<string, ServicePlan>
  readonly config: Config
  /** Objects that could not be taken as they are; the others are planned. */
  readonly errors: readonly ObjectError[]
  /** What the configuration says and means nothing here. */
  readonly notes: readonly string[]
  /** The folder's content, completed. */
  readonly manifests: Pick<Manifests, 'objects' | 'pods'>
  /** The node that the plans are for. */
  readonly context: NodeContext
}

/**
 * Reads the folder and plans every Service.
 *
 * @param interfaceAddresses The node's own, where --node-ip gives none. Without it they are those of the Node object, and
 *   nothing depends on the machine.
 *
 * @throws UsageError without a folder, ConfigError for a flag that cannot be used
 */
export async function readDesired(
  values: Values<typeof desiredOptions>,
  interfaceAddresses: (config: Config) => Promise<readonly string[]> = async () => [],
): Promise<Desired> {
  const { manifests: folder, ...flags } = values
  if (folder === undefined) throw new UsageError('--manifests DIR is missing')
  const { config, notes } = await loadConfig(flags)
  const { objects, pods, errors } = await loadManifests(folder, {
    ...(config.serviceCidrs.length > 0 ? { serviceCidrs: config.serviceCidrs } : {}),
    nodePortRange: config.nodePortRange,
  })
  const context = nodeContext({
    nodeName: config.nodeName,
    node: objects.nodes.get(config.nodeName),
    addresses: config.nodeIps.length > 0 ? config.nodeIps : await interfaceAddresses(config),
    nodePortAddresses: config.nodePortAddresses,
    localhostNodePorts: config.localhostNodePorts,
  })
  const model = updateModel(undefined, objects, context)
  const manifests = { objects, pods }
  return { plans: model.plans, config, errors: [...errors, ...model.errors], notes, manifests, context }
}

/** A line an error, on standard error. */
export function sayErrors(errors: readonly ObjectError[], io: Pick<Io, 'stderr'>): void {
  for (const { source, object, field, message } of errors) {
    io.stderr(`${source}: ${object}: ${field === '' ? '' : `${field}: `}${message}\n`)
  }
}
