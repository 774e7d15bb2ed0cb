// SPDX-License-Identifier: Apache-2.0
/** Names of Services by the ids that maps hold. */

import type { ServiceName } from '../../abi/generated.ts'
import { affinityId } from '../../compiler/affinity-id.ts'

export class ServiceNames {
  readonly ports: ReadonlyMap<number, ServiceName>
  readonly #byAffinity = new Map<bigint, string>()

  /** @param entries of the map `services` */
  constructor(entries: Iterable<readonly [id: number, name: ServiceName]>) {
    this.ports = new Map(entries)
    for (const { namespace, name } of this.ports.values()) {
      this.#byAffinity.set(affinityId(namespace, name), `${namespace}/${name}`)
    }
  }

  /** `namespace/name`; the id where it has no name, '' for 0, which is no Service. */
  service(id: number): string {
    return formatService(id, this.ports.get(id))
  }

  /** `namespace/name:port`, without the colon for a port that has no name. */
  servicePort(id: number): string {
    return formatServicePort(id, this.ports.get(id))
  }

  /** `namespace/name` of the Service that an affinity id stands for; '' when it is gone. */
  ofAffinity(id: bigint): string {
    return this.#byAffinity.get(id) ?? ''
  }
}

/** `namespace/name`; `#id` without a name, '' for id 0. */
export function formatService(id: number, name: ServiceName | undefined): string {
  if (name === undefined) return id === 0 ? '' : `#${id}`
  return `${name.namespace}/${name.name}`
}

/** `namespace/name:port`. */
export function formatServicePort(id: number, name: ServiceName | undefined): string {
  const port = name === undefined || name.portName === '' ? '' : `:${name.portName}`
  return `${formatService(id, name)}${port}`
}
