// SPDX-License-Identifier: Apache-2.0
/** Removes all that a lab has put on the machine, by its name alone: also what a crash has left. */

import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { removeCgroup } from './cgroup.ts'
import { labNames, pinsFolder } from './lab-names.ts'
import { isAbandoned, readLabRecords } from './lab-record.ts'
import { deleteNamespaces, listNamespaces } from './namespace.ts'

/** Ends the lab's processes and removes its namespaces, pins, cgroups and folder. Nothing there: nothing to do. */
export async function takeDown(lab: string): Promise<void> {
  const names = await labNames(lab)
  // Processes first: an agent that still runs would pin anew.
  await removeCgroup(names.cgroup)
  await deleteNamespaces(await listNamespaces(`${lab}-`))
  for (const instance of await readdir(pinsFolder).catch(() => [])) {
    if (instance.startsWith(`${lab}-`)) await rm(join(pinsFolder, instance), { recursive: true, force: true })
  }
  await rm(names.folder, { recursive: true, force: true })
}

/** Takes down the labs whose owner was killed before it could. */
export async function takeDownAbandoned(): Promise<void> {
  for (const record of await readLabRecords()) {
    if (await isAbandoned(record)) await takeDown(record.lab)
  }
}
