// SPDX-License-Identifier: Apache-2.0
/** `maglane get`: what is in the maps, decoded; with `--manifests` the objects of a folder. */

import { type Args, defineCommand, type Io, UsageError } from './command.ts'
import { objectFilter, objectOptions } from './kubectl-views/object-filter.ts'
import { isManifestKind, manifestKinds, printObjects } from './kubectl-views/print-objects.ts'
import { manifestOptions, readManifests } from './kubectl-views/read-manifests.ts'
import { instanceOption } from './live/instance.ts'
import { withLive } from './live/live.ts'
import { printRows } from './output.ts'
import { affinitiesView } from './views/affinities.ts'
import { backendsView } from './views/backends.ts'
import { devicesView } from './views/devices.ts'
import { flowsView } from './views/flows.ts'
import { frontendsView } from './views/frontends.ts'
import { servicesView } from './views/services.ts'
import type { View } from './views/view.ts'

const options = { instance: instanceOption, ...manifestOptions, ...objectOptions } as const

type Print = (service: string | undefined, args: Args<typeof options>, io: Io) => void

const kinds: Readonly<Record<string, Print>> = {
  services: printer(servicesView),
  frontends: printer(frontendsView),
  backends: printer(backendsView),
  flows: printer(flowsView),
  affinities: printer(affinitiesView),
  devices: printer(devicesView),
}

export const command = defineCommand({
  summary: 'Show what is in the maps, or the objects of a folder',
  usage: `get ${Object.keys(kinds).join('|')} [[NAMESPACE/]SERVICE] [OPTIONS]`,
  description: [
    'Reads the pinned maps of an agent, which need not run. A Service without a namespace is in `default`.',
    `With --manifests DIR it prints ${manifestKinds.join(', ')} as kubectl does (-n, -A, -o wide), with the addresses and`,
    'NodePorts that an agent allocates.',
  ].join('\n'),
  options,
  formats: ['wide'],
  examples: [
    { command: 'maglane get services', does: 'Ports of Services with their traffic' },
    { command: 'maglane get backends shop/cart', does: 'Endpoints of one Service' },
    { command: 'maglane get flows -o json', does: 'Translated connections, for a script' },
    { command: 'maglane get pods --manifests examples -o wide', does: 'The Pods of a folder' },
  ],
  run: async (args, io) => {
    const [what = '', name, ...rest] = args.positionals
    if (rest.length > 0) throw new UsageError(`get takes one name, got "${rest[0]}" besides`)
    if (args.values.manifests !== undefined) {
      const manifests = await readManifests(args.values, io)
      printObjects(what, manifests, objectFilter(args.values, name), args.output, io)
      return 0
    }
    const print = Object.hasOwn(kinds, what) ? kinds[what] : undefined
    if (print === undefined) {
      if (isManifestKind(what)) throw new UsageError(`get ${what} reads objects: --manifests DIR is missing`)
      throw new UsageError(`get takes one of ${Object.keys(kinds).join(', ')}`)
    }
    print(name, args, io)
    return 0
  },
})

function printer<Row>(view: View<Row>): Print {
  return (service, args, io) => {
    const wanted = service === undefined || service.includes('/') ? service : `default/${service}`
    const rows = withLive(args.values.instance, view.rows)
    const shown = wanted === undefined ? rows : rows.filter((row) => view.services(row).includes(wanted))
    printRows(args, io, view.columns, shown, wanted === undefined ? view.none : `${view.none} of ${wanted}`)
  }
}
