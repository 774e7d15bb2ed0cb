// SPDX-License-Identifier: Apache-2.0
/** Where the cluster's pods stand: noted by whoever makes them, for whoever wants to enter them. */

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Place } from './enter.ts'

function placesFolder(labFolder: string): string {
  return join(labFolder, 'places')
}

export async function notePodPlace(labFolder: string, name: string, place: Place): Promise<void> {
  const path = join(placesFolder(labFolder), `${name}.json`)
  await mkdir(placesFolder(labFolder), { recursive: true })
  await writeFile(`${path}.new`, JSON.stringify(place))
  await rename(`${path}.new`, path)
}

export async function forgetPodPlace(labFolder: string, name: string): Promise<void> {
  await rm(join(placesFolder(labFolder), `${name}.json`), { force: true })
}

/** By name; none where no cluster runs. */
export async function readPodPlaces(labFolder: string): Promise<Record<string, Place>> {
  const files = await readdir(placesFolder(labFolder)).catch(() => [])
  const places = await Promise.all(
    files
      .filter((file) => file.endsWith('.json'))
      .sort()
      .map(async (file): Promise<[string, Place][]> => {
        const text = await readFile(join(placesFolder(labFolder), file), 'utf8').catch(() => undefined)
        return text === undefined ? [] : [[file.slice(0, -'.json'.length), JSON.parse(text) as Place]]
      }),
  )
  return Object.fromEntries(places.flat())
}
