// SPDX-License-Identifier: Apache-2.0
/** `maglane get`: what is in the maps, decoded. */

import { type Args, defineCommand, type Io, UsageError } from './command.ts'
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

const options = { instance: instanceOption } as const

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
  summary: 'Show what is in the maps',
  usage: `get ${Object.keys(kinds).join('|')} [[NAMESPACE/]SERVICE] [OPTIONS]`,
  description: 'Reads the pinned maps of an agent, which need not run. A Service without a namespace is in `default`.',
  options,
  examples: [
    { command: 'maglane get services', does: 'Ports of Services with their traffic' },
    { command: 'maglane get backends shop/cart', does: 'Endpoints of one Service' },
    { command: 'maglane get flows -o json', does: 'Translated connections, for a script' },
  ],
  run: async (args, io) => {
    const [what = '', service, ...rest] = args.positionals
    const print = Object.hasOwn(kinds, what) ? kinds[what] : undefined
    if (print === undefined) throw new UsageError(`get takes one of ${Object.keys(kinds).join(', ')}`)
    if (rest.length > 0) throw new UsageError(`get takes one Service, got "${rest[0]}" besides`)
    print(service, args, io)
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
