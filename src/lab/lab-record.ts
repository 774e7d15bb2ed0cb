// SPDX-License-Identifier: Apache-2.0
/** The note that each lab leaves on the machine, by which it is found again: to enter it, or to take it down. */

import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CniName } from './cni.ts'
import type { Place } from './enter.ts'
import { type LabNames, labsFolder } from './lab-names.ts'
import { readPodPlaces } from './pod-places.ts'

export interface LabRecord {
  readonly lab: string
  readonly cni: CniName
  readonly nodes: readonly string[]
  /** Process that owns the lab, with its start time in clock ticks since boot: a pid alone may be another's later. */
  readonly owner: { readonly pid: number; readonly startTicks: string }
  /** The lab stays up after its owner's end. */
  readonly keep: boolean
  /** Every place: node, pod, `outside`, `fabric`. */
  readonly places: Readonly<Record<string, Place>>
}

export async function writeLabRecord(names: LabNames, record: LabRecord): Promise<void> {
  await mkdir(names.folder, { recursive: true })
  const path = join(names.folder, 'lab.json')
  await writeFile(`${path}.new`, `${JSON.stringify(record, undefined, 2)}\n`)
  await rename(`${path}.new`, path)
}

/** Every lab that this machine knows of, by name. */
export async function readLabRecords(): Promise<LabRecord[]> {
  const folders = await readdir(labsFolder).catch(ignoreMissing([] as string[]))
  const records = await Promise.all(folders.sort().map(readRecord))
  return records.filter((record) => record !== undefined)
}

async function readRecord(lab: string): Promise<LabRecord | undefined> {
  const text = await readFile(join(labsFolder, lab, 'lab.json'), 'utf8').catch(ignoreMissing(undefined))
  if (text === undefined) return undefined
  const record = JSON.parse(text) as LabRecord
  return { ...record, places: { ...record.places, ...(await readPodPlaces(join(labsFolder, lab))) } }
}

/** This process as an owner. */
export async function thisProcess(): Promise<LabRecord['owner']> {
  return { pid: process.pid, startTicks: (await startTicks(process.pid)) ?? '' }
}

/** A lab that nobody wants any more: its owner has ended without taking it down. */
export async function isAbandoned(record: LabRecord): Promise<boolean> {
  return !record.keep && (await startTicks(record.owner.pid)) !== record.owner.startTicks
}

async function startTicks(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(ignoreMissing(undefined))
  // proc_pid_stat(5): field 22; the second field is in parentheses and may hold blanks.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

function ignoreMissing<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return value
    throw error
  }
}
