// SPDX-License-Identifier: Apache-2.0
/** Starts programs on the machine outside of the lab's cluster; they end with the lab. */

import type { Lab } from '../lab/lab.ts'
import { LabError } from '../lab/lab-error.ts'
import { program } from '../lab/program.ts'
import { until } from '../lab/until.ts'

/** A demo server that is no Pod. */
export async function startOutsideServer(lab: Lab, name: string, address: string, port: number): Promise<void> {
  await startOutside(lab, [
    ...[...program('demo/main'), '--name', name, '--node', 'outside'],
    ...['--address', address, '--tcp', String(port)],
  ])
  await until(`${name} answers outside`, () => lab.request('outside', { proto: 'tcp', address, port }))
}

export async function startOutside(lab: Lab, argv: readonly string[]): Promise<void> {
  const { code, stderr } = await lab.exec('outside', ['sh', '-c', '"$@" >/dev/null 2>&1 &', 'sh', ...argv])
  if (code !== 0) throw new LabError('LAB_COMMAND_FAILED', `cannot start ${argv.join(' ')}: ${stderr}`)
}
