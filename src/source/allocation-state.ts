// SPDX-License-Identifier: Apache-2.0
/** Allocations in a file, for a load balancer that restarts: a Service keeps its addresses and ports. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { FieldError, Fields } from '../model/fields.ts'
import type { Allocation, Allocations } from './controllers/allocations.ts'

/** The file is there and cannot be used. */
export class AllocationStateError extends Error {
  readonly code = 'ALLOCATION_STATE'
  constructor(path: string, cause: unknown) {
    super(`Read allocations from '${path}': ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = 'AllocationStateError'
  }
}

/** Empty when there is no such file. Throws {@link AllocationStateError}. */
export async function readAllocations(path: string): Promise<Allocations> {
  try {
    const state = new Fields(JSON.parse(await readFile(path, 'utf8')))
    return Object.fromEntries(state.names().map((key) => [key, readAllocation(state.object(key))]))
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return {}
    const reason = cause instanceof FieldError ? new Error(`${cause.field}: ${cause.message}`, { cause }) : cause
    throw new AllocationStateError(path, reason)
  }
}

/** Replaces the file in one step. */
export async function writeAllocations(path: string, allocations: Allocations): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`
  await writeFile(draft, `${JSON.stringify(allocations, undefined, 2)}\n`)
  await rename(draft, path)
}

function readAllocation(fields: Fields): Allocation {
  const nodePorts = fields.object('nodePorts')
  return {
    clusterIPs: fields.strings('clusterIPs'),
    nodePorts: Object.fromEntries(nodePorts.names().map((name) => [name, nodePorts.integer(name, 0, 65_535) ?? 0])),
    healthCheckNodePort: fields.integer('healthCheckNodePort', 0, 65_535) ?? 0,
  }
}
