// SPDX-License-Identifier: Apache-2.0
/** `maglane diff`: what manifests ask for against what is in the maps. */

import { viewNode } from '../agent/node-state.ts'
import { CONFIG_FLAGS } from '../config/flags.ts'
import { defineCommand, UsageError } from './command.ts'
import { desiredOptions, readDesired, sayErrors } from './desired/desired.ts'
import {
  diffPictures,
  type FrontendChange,
  type Picture,
  type PictureDiff,
  type SetPicture,
} from './desired/picture.ts'
import { pictureOfMaps } from './desired/picture-of-maps.ts'
import { pictureOfPlans } from './desired/picture-of-plans.ts'
import { instanceOption } from './live/instance.ts'
import { withLive } from './live/live.ts'
import { toJson } from './output.ts'

const { devices, 'pod-interfaces': podInterfaces } = CONFIG_FLAGS

/** Not 1, which is failure. */
const EXIT_DIFFERENT = 3

export const command = defineCommand({
  summary: 'Compare what manifests ask for with what is in the maps',
  usage: 'diff --manifests DIR [--node NAME] [--instance NAME] [OPTIONS]',
  description: [
    'Compares frontends as clients meet them: Service, backends, affinity, source ranges. Ids and places in the maps do not',
    `count. The exit status is 0 when nothing differs, ${EXIT_DIFFERENT} when something does. Give it the flags of the agent, and call`,
    'it in the network namespace of the agent: NodePorts answer on the addresses of the node.',
  ].join('\n'),
  options: { ...desiredOptions, devices, 'pod-interfaces': podInterfaces, instance: instanceOption },
  examples: [{ command: 'maglane diff --manifests /etc/maglane --node node-a', does: 'What an agent has yet to do' }],
  run: async ({ values, positionals, output }, io) => {
    if (positionals.length > 0) throw new UsageError(`diff takes options only, got "${positionals[0]}"`)
    const { instance, ...flags } = values
    const { plans, errors } = await readDesired(flags, async (config) => (await viewNode(config)).addresses)
    const desired = pictureOfPlans(plans.values())
    const live = withLive(instance, pictureOfMaps)
    const diff = diffPictures(desired, live)
    io.stdout(output === 'json' ? toJson(diff) : formatDiff(diff, desired, live))
    sayErrors(errors, io)
    return diff.added.length + diff.removed.length + diff.changed.length > 0 ? EXIT_DIFFERENT : 0
  },
})

function formatDiff({ added, removed, changed }: PictureDiff, desired: Picture, live: Picture): string {
  const whole = (sign: string, picture: Picture) => (frontend: string) =>
    `${sign} ${frontend}  ${picture.get(frontend)?.kind} of ${picture.get(frontend)?.service}\n`
  const lines = [...removed.map(whole('-', live)), ...added.map(whole('+', desired)), ...changed.map(formatChange)]
  return lines.length === 0 ? 'No difference\n' : lines.join('')
}

function formatChange({ frontend, fields }: FrontendChange): string {
  const lines = Object.entries(fields).map(([name, { live, desired }]) =>
    isSet(live) && isSet(desired) ? formatSets(name, live, desired) : `    ${name}: ${text(live)} → ${text(desired)}\n`,
  )
  return `~ ${frontend}\n${lines.join('')}`
}

/** Backends that come and go; of thousands, those that stay are of no interest. */
function formatSets(name: string, live: readonly string[], desired: readonly string[]): string {
  const [before, after] = [new Set(live), new Set(desired)]
  const gone = live.filter((backend) => !after.has(backend)).map((backend) => `-${backend}`)
  const come = desired.filter((backend) => !before.has(backend)).map((backend) => `+${backend}`)
  return `    ${name}: ${[...gone, ...come].join(', ')}\n`
}

function isSet(value: unknown): value is Exclude<SetPicture, string> {
  return Array.isArray(value)
}

function text(value: unknown): string {
  if (value === null) return 'none'
  return Array.isArray(value) ? value.join(', ') : String(value)
}
