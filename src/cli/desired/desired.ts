// SPDX-License-Identifier: Apache-2.0
/** What a folder of manifests asks of a node: the plans that `compile` prints and `diff` compares. */

import type { Config } from '../../config/config.ts'
import { CONFIG_FLAGS } from '../../config/flags.ts'
import { loadConfig } from '../../config/load-config.ts'
import { updateModel } from '../../model/model.ts'
import { nodeContext } from '../../model/node-context.ts'
import type { ObjectError, ServicePlan } from '../../model/types.ts'
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
}

/**
 * Reads the folder and plans every Service. The node's addresses are those of --node-ip, else of its Node object: what is
 * printed does not depend on the machine.
 *
 * @throws UsageError without a folder, ConfigError for a flag that cannot be used
 */
export async function readDesired(values: Values<typeof desiredOptions>): Promise<Desired> {
  const { manifests: folder, ...flags } = values
  if (folder === undefined) throw new UsageError('--manifests DIR is missing')
  const { config } = await loadConfig(flags)
  const { objects, errors } = await loadManifests(folder, {
    ...(config.serviceCidrs.length > 0 ? { serviceCidrs: config.serviceCidrs } : {}),
    nodePortRange: config.nodePortRange,
  })
  const context = nodeContext({
    nodeName: config.nodeName,
    node: objects.nodes.get(config.nodeName),
    addresses: config.nodeIps,
    nodePortAddresses: config.nodePortAddresses,
    localhostNodePorts: config.localhostNodePorts,
  })
  const model = updateModel(undefined, objects, context)
  return { plans: model.plans, config, errors: [...errors, ...model.errors] }
}

/** A line an error, on standard error. */
export function sayErrors(errors: readonly ObjectError[], io: Pick<Io, 'stderr'>): void {
  for (const { source, object, field, message } of errors) {
    io.stderr(`${source}: ${object}: ${field === '' ? '' : `${field}: `}${message}\n`)
  }
}
