// SPDX-License-Identifier: Apache-2.0
/** The file system that pinned maps and links live in. */

import { mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { mountFilesystem } from '../ffi/libc.ts'

/** BPF_FS_MAGIC (linux/magic.h). */
const BPF_FS_MAGIC = 0xcafe4a11

/** Where systemd mounts it. `ip netns exec` mounts another sysfs over it: enter namespaces by nsenter --net. */
export const BPFFS = '/sys/fs/bpf'

/** True when `path` lies in a mounted bpffs. */
export function isBpffs(path: string): boolean {
  try {
    return statfsSync(path).type === BPF_FS_MAGIC
  } catch {
    return false
  }
}

/** Mounts bpffs when it is not, and makes a folder in it. Two callers at once are fine. */
export function ensurePinDirectory(directory: string): void {
  if (!isBpffs(BPFFS)) mountFilesystem('bpf', BPFFS)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
}

/** Names of what is pinned in a folder, sorted; none when the folder does not exist. */
export function pinnedNames(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => entry.name)
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Removes a pin; false when there was none. What it held goes when nothing else holds it. */
export function unpin(path: string): boolean {
  try {
    rmSync(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** Removes a folder with all its pins. */
export function removePinDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true })
}
