// SPDX-License-Identifier: Apache-2.0
/** Notices of changes in a folder and its subfolders: one inotify watch a folder, not one a file as fs.watch's recursion takes. */
import { type FSWatcher, watch } from 'node:fs'
import { join } from 'node:path'

export class FolderWatchers {
  readonly #root: string
  readonly #onEvent: () => void
  readonly #watchers = new Map<string, FSWatcher>()

  constructor(root: string, onEvent: () => void) {
    this.#root = root
    this.#onEvent = onEvent
  }

  /**
   * Watches these folders, relative to the root, and no others. A folder that cannot be watched is tried again at the
   * next call.
   *
   * @returns Whether a folder is watched that was not before.
   */
  follow(folders: readonly string[]): boolean {
    for (const path of this.#watchers.keys()) if (!folders.includes(path)) this.#drop(path)
    const fresh = folders.filter((path) => !this.#watchers.has(path))
    return fresh.filter((path) => this.#open(path)).length > 0
  }

  close(): void {
    for (const path of this.#watchers.keys()) this.#drop(path)
  }

  #open(path: string): boolean {
    try {
      const watcher = watch(join(this.#root, path), this.#onEvent)
      watcher.on('error', () => this.#drop(path))
      this.#watchers.set(path, watcher)
      return true
    } catch {
      return false
    }
  }

  #drop(path: string): void {
    this.#watchers.get(path)?.close()
    this.#watchers.delete(path)
  }
}
