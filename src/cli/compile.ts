// SPDX-License-Identifier: Apache-2.0
/** `maglane compile`: what a folder of manifests becomes, without touching the kernel. */

import { imageJson } from '../compiler/image-json.ts'
import { defineCommand, UsageError } from './command.ts'
import { desiredOptions, readDesired, sayErrors } from './desired/desired.ts'
import { toJson } from './output.ts'

export const command = defineCommand({
  summary: 'Print what manifests compile to',
  usage: 'compile --manifests DIR [--node NAME] [OPTIONS]',
  description: [
    'Always prints JSON, the same bytes for the same objects: Services with their frontends, backend sets, backends, and a',
    'digest of each Maglev table. Only what is local by nature differs from node to node. Needs no root and no agent.',
    'Objects that cannot be taken as they are go to standard error, and make the exit status 1.',
  ].join('\n'),
  options: desiredOptions,
  examples: [
    { command: 'maglane compile --manifests examples --node node-a', does: 'The image of the examples for a node' },
    {
      command: "maglane compile --manifests examples | jq '.services[] | {name, frontends: [.frontends[].address]}'",
      does: 'The addresses of each Service',
    },
  ],
  run: async ({ values, positionals }, io) => {
    if (positionals.length > 0) throw new UsageError(`compile takes options only, got "${positionals[0]}"`)
    const { plans, config, errors } = await readDesired(values)
    io.stdout(toJson(imageJson(plans, config.seed)))
    sayErrors(errors, io)
    return errors.length > 0 ? 1 : 0
  },
})
