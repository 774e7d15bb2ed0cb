// SPDX-License-Identifier: Apache-2.0
/** `maglane describe`: a Service of a folder with all that belongs to it. */

import { defineCommand, UsageError } from './command.ts'
import { describeService } from './kubectl-views/describe-service.ts'
import { slicesOf } from './kubectl-views/endpoints.ts'
import { objectFilter, objectOptions } from './kubectl-views/object-filter.ts'
import { NotFoundError } from './kubectl-views/print-objects.ts'
import { manifestOptions, readManifests } from './kubectl-views/read-manifests.ts'
import { toJson } from './output.ts'

export const command = defineCommand({
  summary: 'Describe a Service of a folder of manifests as kubectl would',
  usage: 'describe service [NAMESPACE/]NAME --manifests DIR [OPTIONS]',
  description: 'Addresses and NodePorts that the manifests leave open are those that an agent allocates.',
  options: { ...manifestOptions, namespace: objectOptions.namespace },
  examples: [
    {
      command: 'maglane describe service web --manifests examples',
      does: 'Addresses, ports and endpoints of a Service',
    },
    { command: 'maglane describe svc cart -n shop -m /etc/maglane', does: 'In another namespace' },
  ],
  run: async ({ values, positionals, output }, io) => {
    const [kind = '', name, ...rest] = positionals
    if (!['service', 'services', 'svc'].includes(kind)) throw new UsageError('describe takes service NAME')
    if (name === undefined || rest.length > 0) throw new UsageError('describe service takes one NAME')
    const filter = objectFilter({ ...values, 'all-namespaces': false }, name)
    const { objects } = await readManifests(values, io)
    const service = objects.services.get(`${filter.namespace}/${filter.name}`)
    if (service === undefined) throw new NotFoundError('services', filter)
    const slices = slicesOf(objects.endpointSlices.values(), service.metadata)
    io.stdout(output === 'json' ? toJson({ service, endpointSlices: slices }) : describeService(service, slices))
    return 0
  },
})
