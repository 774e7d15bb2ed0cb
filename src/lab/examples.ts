// SPDX-License-Identifier: Apache-2.0
/** Reads a folder of manifests as the lab needs them: untouched, every kind. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { LabError } from './lab-error.ts'
import type { ManifestObject } from './manifest.ts'

/** All objects of a folder's YAML and JSON files, in the order of the files' names. Rejects with LAB_BAD_OBJECT. */
export async function readExamples(folder: string): Promise<ManifestObject[]> {
  const files = (await readdir(folder)).filter((file) => /\.(ya?ml|json)$/.test(file)).sort()
  const objects = await Promise.all(files.map((file) => readObjects(join(folder, file))))
  return objects.flat()
}

async function readObjects(file: string): Promise<ManifestObject[]> {
  return parseManifestObjects(file, await readFile(file, 'utf8'))
}

/** The objects of one YAML text. Throws LAB_BAD_OBJECT, which names the file. */
export function parseManifestObjects(file: string, text: string): ManifestObject[] {
  const documents = parseAllDocuments(text)
  return documents.flatMap((document): ManifestObject[] => {
    const [error] = document.errors
    if (error !== undefined) throw new LabError('LAB_BAD_OBJECT', `${file}: ${error.message}`, { cause: error })
    const object: unknown = document.toJS()
    if (object === null) return []
    if (!isManifest(object)) throw new LabError('LAB_BAD_OBJECT', `${file}: a document has no kind or no metadata.name`)
    return [object]
  })
}

function isManifest(object: unknown): object is ManifestObject {
  const { kind, metadata } = object as Partial<ManifestObject>
  return typeof kind === 'string' && typeof metadata?.name === 'string'
}
