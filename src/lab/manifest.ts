// SPDX-License-Identifier: Apache-2.0
/** The lab's side of the folder that its agents watch: one object a file, each replaced in one step. */

import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A Kubernetes object as it stands in a manifest. */
export interface ManifestObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly [field: string]: unknown
  }
  readonly [field: string]: unknown
}

export interface ObjectName {
  readonly kind: string
  readonly name: string
  readonly namespace?: string
}

export async function writeManifest(folder: string, object: ManifestObject): Promise<void> {
  const path = manifestPath(folder, { kind: object.kind, ...object.metadata })
  await mkdir(folder, { recursive: true })
  // A watcher never reads half a file: written beside the folder, on the same file system, then moved.
  const draft = `${folder}.${randomUUID()}`
  await writeFile(draft, `${JSON.stringify(object, undefined, 2)}\n`)
  await rename(draft, path)
}

export async function deleteManifest(folder: string, object: ObjectName): Promise<void> {
  await rm(manifestPath(folder, object), { force: true })
}

function manifestPath(folder: string, { kind, name, namespace = 'default' }: ObjectName): string {
  return join(folder, `${kind.toLowerCase()}_${namespace}_${name}.json`)
}
