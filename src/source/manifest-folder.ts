// SPDX-License-Identifier: Apache-2.0
/** The files of a manifest folder as last read: only what changed is read again, and nothing is lost to a half-written file. */
import type { Dirent } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ObjectError } from '../model/types.ts'
import type { SourcedObject } from './derive-objects.ts'
import { type ParsedManifest, parseManifest } from './parse-manifest.ts'

const EXTENSIONS = /\.(ya?ml|json)$/i
/** Files read at the same time: a folder may hold tens of thousands. */
const READERS = 32
/** A file that lost objects is believed after this: longer than an editor takes to write. */
export const SETTLE_MS = 25

interface ManifestFile extends ParsedManifest {
  /** Tells a version of the file from every other. */
  readonly version: string
}

interface Suspect {
  readonly version: string
  readonly sinceMs: number
}

/** The folder cannot be read at all. */
export class ManifestFolderError extends Error {
  readonly code = 'MANIFEST_FOLDER'
  constructor(folder: string, cause: unknown) {
    super(`Read manifests from '${folder}': ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = 'ManifestFolderError'
  }
}

export interface ScanResult {
  readonly changed: boolean
  /** A file is gone or holds fewer objects: believed when a scan {@link SETTLE_MS} later finds it the same. */
  readonly unsettled: boolean
}

export class ManifestFolder {
  readonly #folder: string
  #files = new Map<string, ManifestFile>()
  #folders: readonly string[] = ['']
  /** Versions that take objects away, and when they were first seen. */
  #suspects = new Map<string, Suspect>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** The folder and its subfolders as of the last scan, relative: '' for the folder itself. */
  get folders(): readonly string[] {
    return this.#folders
  }

  /**
   * Reads what changed since the last scan. Throws {@link ManifestFolderError}.
   *
   * An editor may truncate a file before it writes it, or move it away before it puts the new one in its place: what
   * takes objects away must last.
   *
   * @param nowMs Of a monotonic clock.
   */
  async scan(nowMs: number = performance.now()): Promise<ScanResult> {
    const versions = await this.#list()
    const suspects = new Map<string, Suspect>()
    const files = new Map<string, ManifestFile>()
    const unread = [...versions].filter(([path, version]) => this.#files.get(path)?.version !== version)
    const read = new Map(await mapLimited(unread, ([path, version]) => this.#read(path, version)))
    for (const path of [...new Set([...this.#files.keys(), ...versions.keys()])].sort()) {
      const before = this.#files.get(path)
      const version = versions.get(path) ?? 'gone'
      const after = read.get(path) ?? (versions.has(path) ? before : undefined)
      const known = this.#suspects.get(path)
      const sinceMs = known?.version === version ? known.sinceMs : nowMs
      if (before && takesAway(before, after) && nowMs - sinceMs < SETTLE_MS) {
        suspects.set(path, { version, sinceMs })
        files.set(path, before)
      } else if (after) {
        files.set(path, after)
      }
    }
    const changed = files.size !== this.#files.size || [...files].some(([path, file]) => this.#files.get(path) !== file)
    this.#files = files
    this.#suspects = suspects
    return { changed, unsettled: suspects.size > 0 }
  }

  /** Every object once, those of the first file by name where several define it. */
  contents(): {
    readonly objects: SourcedObject[]
    readonly errors: ObjectError[]
    readonly ignored: readonly string[]
  } {
    const objects = new Map<string, SourcedObject>()
    const errors: ObjectError[] = []
    const ignored = new Set<string>()
    for (const [source, file] of this.#files) {
      errors.push(...file.errors)
      for (const text of file.ignored) ignored.add(text)
      for (const object of file.objects) {
        const first = objects.get(object.name)
        if (!first) objects.set(object.name, { ...object, source })
        else
          errors.push({
            source,
            object: object.name,
            field: '',
            message: `Already defined in ${first.source}, which is used`,
          })
      }
    }
    return { objects: [...objects.values()], errors, ignored: [...ignored].sort() }
  }

  /** Paths relative to the folder, with what tells a version. */
  async #list(): Promise<Map<string, string>> {
    const folders: string[] = []
    const paths = await this.#walk('', folders).catch((cause: unknown) => {
      throw new ManifestFolderError(this.#folder, cause)
    })
    this.#folders = folders.sort()
    const versions = await mapLimited(paths, async (path): Promise<[string, string] | undefined> => {
      const stats = await stat(join(this.#folder, path), { bigint: true }).catch(ignoreGone)
      return stats?.isFile() ? [path, `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`] : undefined
    })
    return new Map(versions.filter((entry) => entry !== undefined))
  }

  /** Names that begin with a dot are editors' and Kubernetes' own (`..data` of a mounted ConfigMap). */
  async #walk(under: string, folders: string[]): Promise<string[]> {
    const entries: Dirent[] = await readdir(join(this.#folder, under), { withFileTypes: true })
    folders.push(under)
    const found = await Promise.all(
      entries
        .filter(({ name }) => !name.startsWith('.'))
        .map((entry) => {
          const path = join(under, entry.name)
          if (entry.isDirectory()) return this.#walk(path, folders).catch((cause) => ignoreGone(cause) ?? [])
          return EXTENSIONS.test(entry.name) ? [path] : []
        }),
    )
    return found.flat()
  }

  async #read(path: string, version: string): Promise<[string, ManifestFile | undefined]> {
    try {
      const text = await readFile(join(this.#folder, path), 'utf8')
      return [path, { ...keepGood(parseManifest(text, path), this.#files.get(path)), version }]
    } catch (cause) {
      if (isGone(cause)) return [path, undefined]
      const message = cause instanceof Error ? cause.message : String(cause)
      const broken: ParsedManifest = {
        objects: [],
        errors: [{ source: path, object: 'file', field: '', message: `Cannot be read: ${message}` }],
        ignored: [],
        unreadable: true,
      }
      return [path, { ...keepGood(broken, this.#files.get(path)), version }]
    }
  }
}

/** An object that turned bad stays as it last was good, and its error says so. */
function keepGood(now: ParsedManifest, before: ParsedManifest | undefined): ParsedManifest {
  if (!before || now.errors.length === 0) return now
  const present = new Set(now.objects.map(({ name }) => name))
  const bad = new Set(now.errors.map(({ object }) => object))
  const kept = before.objects.filter(({ name }) => !present.has(name) && (now.unreadable || bad.has(name)))
  const keptNames = new Set(kept.map(({ name }) => name))
  const errors = now.errors.map((error) => {
    const stays =
      keptNames.has(error.object) || (now.unreadable && kept.length > 0 && /^(document|file)/.test(error.object))
    return stays ? { ...error, message: `${error.message}; the last good version stays in force` } : error
  })
  return { ...now, objects: [...now.objects, ...kept], errors }
}

function takesAway(before: ParsedManifest, after: ParsedManifest | undefined): boolean {
  if (!after) return before.objects.length > 0
  if (after === before) return false
  const names = new Set(after.objects.map(({ name }) => name))
  return before.objects.some(({ name }) => !names.has(name))
}

function isGone(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')
}

/** For catch: what vanished while the folder was read is simply not there. */
function ignoreGone(cause: unknown): undefined {
  if (!isGone(cause)) throw cause
}

/** Results in the order of the items. */
async function mapLimited<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async () => {
    while (next < items.length) {
      const index = next++
      const item = items[index] as T
      results[index] = await run(item)
    }
  }
  await Promise.all(Array.from({ length: Math.min(READERS, items.length) }, worker))
  return results
}
