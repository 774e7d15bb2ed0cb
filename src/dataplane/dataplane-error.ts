// SPDX-License-Identifier: Apache-2.0
/** Faults of the dataplane that concern one Service: the others stay programmed. */

/** A Service that does not fit into the maps, or that a map cannot express. */
export class ServiceProgramError extends Error {
  override readonly name = 'ServiceProgramError'
  readonly code: 'MAP_FULL' | 'NOT_EXPRESSIBLE'
  /** `namespace/name`. */
  readonly service: string

  constructor(code: 'MAP_FULL' | 'NOT_EXPRESSIBLE', service: string, message: string, options?: ErrorOptions) {
    super(`Service ${service}: ${message}`, options)
    this.code = code
    this.service = service
  }
}

/** What to say when a map has no room for a Service; `map` as in maps.h. */
export function mapFull(service: string, map: string, needed: number, capacity: number): ServiceProgramError {
  return new ServiceProgramError(
    'MAP_FULL',
    service,
    `map ${map} has no room for ${needed} more of its entries (max_entries ${capacity}); enlarge it with --map-size ${map}=N`,
  )
}
