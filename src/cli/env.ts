// SPDX-License-Identifier: Apache-2.0
/** `maglane env`: the variables by which containers find Services. */

import { serviceEnvironment } from '../dns/service-environment.ts'
import { defineCommand, UsageError } from './command.ts'
import { manifestOptions, readManifests } from './kubectl-views/read-manifests.ts'
import { toJson } from './output.ts'

export const command = defineCommand({
  summary: 'Print the environment that Services give to the Pods of a namespace',
  usage: 'env [NAMESPACE] --manifests DIR',
  description: [
    'What a kubelet would set in a container that starts now: NAME_SERVICE_HOST, NAME_SERVICE_PORT and the variables of',
    "Docker's links for each Service with a ClusterIP, and for the Service kubernetes of the namespace default.",
  ].join('\n'),
  options: manifestOptions,
  examples: [
    { command: 'maglane env default --manifests examples', does: 'The variables of the examples' },
    { command: 'maglane env shop -m /etc/maglane', does: 'Those of another namespace' },
  ],
  run: async ({ values, positionals, output }, io) => {
    const [namespace = 'default', ...rest] = positionals
    if (rest.length > 0) throw new UsageError(`env takes one namespace, got "${rest[0]}" besides`)
    const variables = serviceEnvironment((await readManifests(values, io)).objects, namespace)
    if (output === 'json') io.stdout(toJson(variables))
    else for (const [name, value] of Object.entries(variables)) io.stdout(`${name}=${value}\n`)
    return 0
  },
})
