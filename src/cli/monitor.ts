// SPDX-License-Identifier: Apache-2.0
/** `maglane monitor`: packets as programs decide on them. */

import { openPinnedMaps } from '../bpf/maps.ts'
import { defineCommand, UsageError } from './command.ts'
import { InstanceDevices } from './live/devices.ts'
import { eventMask, setEventMask } from './live/event-mask.ts'
import { eventLine, eventRow } from './live/event-row.ts'
import { findInstance, instanceOption } from './live/instance.ts'
import { requireSameAbi } from './live/live.ts'
import { toJson } from './output.ts'

export const command = defineCommand({
  summary: 'Follow packets as programs decide on them',
  usage: 'monitor [--reason REASON]… [--verdict VERDICT]… [--service NAMESPACE/NAME] [OPTIONS]',
  description: [
    'Prints a line a packet until it is interrupted. Without --reason and --verdict it shows new flows, refusals and drops;',
    'packets of running flows and of no Service are many, and are shown only when --reason names them.',
    'With -o json each line is an object.',
  ].join('\n'),
  options: {
    instance: instanceOption,
    reason: { type: 'string', multiple: true, default: [], placeholder: 'REASON', description: 'DROP_NO_ROUTE, …' },
    verdict: {
      type: 'string',
      multiple: true,
      default: [],
      placeholder: 'VERDICT',
      description: 'pass, forward, reject or drop',
    },
    service: { type: 'string', placeholder: 'NAMESPACE/NAME', description: 'Only packets of this Service' },
    count: { type: 'string', placeholder: 'N', description: 'End after so many packets' },
  },
  examples: [
    { command: 'maglane monitor --verdict drop --verdict reject', does: 'What is refused, and why' },
    { command: 'maglane monitor --reason forward_new --service default/web', does: 'New connections of one Service' },
  ],
  run: async ({ values, positionals, output }, io) => {
    if (positionals.length > 0) throw new UsageError(`monitor takes options only, got "${positionals[0]}"`)
    const mask = eventMask(values.reason, values.verdict)
    let left = readCount(values.count)
    using open = openPinnedMaps(findInstance(values.instance).maps, { writable: true })
    requireSameAbi(values.instance, open.maps)
    const { control, events, services } = open.maps
    const devices = new InstanceDevices(open.maps.devices.entries())
    // What nobody read when it was asked for last time.
    events.drain()
    const restore = setEventMask(control, mask)
    try {
      for await (const batch of events.records(io.signal)) {
        for (const event of batch) {
          const row = eventRow(event, services.get(event.service), devices)
          if (values.service !== undefined && row.service !== values.service) continue
          io.stdout(output === 'json' ? toJson(row, 0) : eventLine(row))
          if (--left === 0) return 0
        }
      }
      return 0
    } finally {
      restore()
    }
  },
})

function readCount(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new UsageError(`--count takes a positive integer, got "${text}"`)
  return count
}
