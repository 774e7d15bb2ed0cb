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
    const known = this.ports.get(id)
    return known === undefined ? unnamed(id) : `${known.namespace}/${known.name}`
  }

  /** `namespace/name:port`, without the colon for a port that has no name. */
  servicePort(id: number): string {
    const known = this.ports.get(id)
    if (known === undefined) return unnamed(id)
    return `${this.service(id)}${known.portName === '' ? '' : `:${known.portName}`}`
  }

  /** `namespace/name` of the Service that an affinity id stands for; '' when it is gone. */
  ofAffinity(id: bigint): string {
    return this.#byAffinity.get(id) ?? ''
  }
}

function unnamed(id: number): string {
  return id === 0 ? '' : `#${id}`
}
