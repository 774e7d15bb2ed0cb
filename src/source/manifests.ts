// SPDX-License-Identifier: Apache-2.0
/** A folder of manifests as a source: read once, or watched. */
import { type DeriveOptions, deriveObjects, type Manifests } from './derive-objects.ts'
import { FolderWatchers } from './folder-watchers.ts'
import { ManifestFolder, SETTLE_MS } from './manifest-folder.ts'

/** A look without any notice, for file systems that send none. */
const POLL_MS = 5_000

export interface WatchOptions extends DeriveOptions {
  /** Ends the watch. */
  readonly signal: AbortSignal
  /** Called with the first reading, then after each change; while it runs, changes are gathered into one. */
  readonly onChange: (manifests: Manifests) => void | Promise<void>
}

/** Reads the folder with its subfolders. Throws ManifestFolderError when that is impossible; other faults are `errors`. */
export async function loadManifests(folder: string, options: DeriveOptions = {}): Promise<Manifests> {
  const files = new ManifestFolder(folder)
  await files.scan()
  return readAll(files, options)
}

/**
 * Reads the folder and keeps looking. The first notice of a change is acted on at once; those that come meanwhile are
 * one. Objects that did not change are the same objects in the next reading.
 *
 * Resolves when the signal aborts. Rejects when the first reading is impossible or `onChange` throws. A folder that
 * vanishes later keeps its last reading.
 */
export async function watchManifests(folder: string, options: WatchOptions): Promise<void> {
  const { signal, onChange } = options
  const files = new ManifestFolder(folder)
  const bell = new Bell()
  const ring = () => bell.ring()
  signal.addEventListener('abort', ring, { once: true })
  const poll = setInterval(ring, POLL_MS)
  const watchers = new FolderWatchers(folder, ring)
  try {
    watchers.follow(files.folders)
    let { unsettled } = await files.scan()
    let current = readAll(files, options)
    await onChange(current)
    while (!signal.aborted) {
      // A folder that is watched only now may have got files before: look once more.
      if (watchers.follow(files.folders)) bell.ring()
      await bell.wait(unsettled ? SETTLE_MS : undefined)
      if (signal.aborted) break
      const scan = await files.scan().catch(() => ({ changed: false, unsettled: false }))
      unsettled = scan.unsettled
      if (!scan.changed) continue
      current = readAll(files, options, current)
      await onChange(current)
    }
  } finally {
    watchers.close()
    clearInterval(poll)
    signal.removeEventListener('abort', ring)
  }
}

function readAll(files: ManifestFolder, options: DeriveOptions, previous?: Manifests): Manifests {
  const { objects, errors, ignored } = files.contents()
  const derived = deriveObjects(objects, options, previous)
  return { ...derived, errors: [...errors, ...derived.errors], notes: ignored.map((text) => `${text} is not read`) }
}

/** Rings once however often it is rung before somebody listens. */
class Bell {
  #rung = false
  #wake: (() => void) | undefined

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  /** Resolves at the next ring, at once when it has rung since the last wait, or after the time-out. */
  async wait(timeoutMs: number | undefined): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#wake = undefined
    this.#rung = false
  }
}
