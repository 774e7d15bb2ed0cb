// SPDX-License-Identifier: Apache-2.0
/** Which elements of the backends map change between two versions of a Service. */

import type { CompiledBackend } from '../compiler/compiled-service.ts'
import type { Change } from './change.ts'
import { bitOf, type FilterBits } from './filter-bits.ts'
import type { LinkedService } from './linked-service.ts'

/** The filter's bit of a backend's replies. */
export function bitOfBackend(backend: CompiledBackend): number {
  return bitOf(backend.address, backend.port, backend.protocol)
}

/**
 * Adds the elements that come, change or retire to `change`. The filter has a bit for each local backend, as its replies
 * are recognised by their source.
 */
export function diffBackends(
  old: LinkedService | undefined,
  next: LinkedService | undefined,
  bits: FilterBits,
  change: Change,
): void {
  const before = new Map<number, CompiledBackend>()
  old?.backendIds.forEach((id, index) => {
    before.set(id, old.backends[index] as CompiledBackend)
  })
  next?.backendIds.forEach((id, index) => {
    const backend = next.backends[index] as CompiledBackend
    const former = before.get(id)
    before.delete(id)
    if (former?.local !== backend.local) change.backends.push({ id, backend, affinityId: next.affinityId })
    if (backend.local && !former?.local) {
      const bit = bitOfBackend(backend)
      bits.acquire(bit)
      change.setBits.push(bit)
    }
    if (former?.local && !backend.local) bits.release(bitOfBackend(former))
  })
  for (const [id, backend] of before) {
    change.retired.push({ id, backend, affinityId: old?.affinityId ?? 0n })
    change.freed.backends.push(id)
    if (backend.local) bits.release(bitOfBackend(backend))
  }
}
