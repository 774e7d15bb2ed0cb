// SPDX-License-Identifier: Apache-2.0
/** A cluster's API server as a source: Services, EndpointSlices, this Node and ServiceCIDRs. */
import type { ObjectError, ObjectSet } from '../../model/types.ts'
import { ApiServer } from './api-server.ts'
import { Informer, type InformerStatus } from './informer.ts'
import { resourcesFor } from './resources.ts'
import { type Clock, DEFAULT_TIMING, SYSTEM_CLOCK, type Timing } from './timing.ts'

export interface KubernetesState {
  readonly objects: ObjectSet
  readonly errors: readonly ObjectError[]
}

export interface KubernetesOptions {
  /** Path; '' or absent: a Pod's service account. */
  readonly kubeconfig?: string | undefined
  /** URL of the API server, instead of the kubeconfig's. */
  readonly master?: string | undefined
  /** Name of this Node: no other is followed. */
  readonly nodeName: string
  /** Ends the watch. */
  readonly signal: AbortSignal
  /** Called with the first state that is complete, then after each change; while it runs, changes are gathered into one. */
  readonly onChange: (state: KubernetesState) => void | Promise<void>
  /** Called when an informer begins to list or watch, or waits after a fault. */
  readonly onStatus?: (status: InformerStatus) => void
  readonly timing?: Partial<Timing>
  readonly clock?: Clock
}

/**
 * Follows the cluster. Objects that did not change are the same objects, in the same maps, in the next state.
 *
 * Nothing is told before everything has been listed; after that, what the API server does not say for a while stays as
 * it was. Resolves when the signal aborts. Rejects with KubeAccessError when there is no configuration to reach an API
 * server by, and when `onChange` throws; every fault of the server or the network is tried again, without end.
 */
export async function watchKubernetes(options: KubernetesOptions): Promise<void> {
  const { signal: outer, nodeName, onChange } = options
  const timing = { ...DEFAULT_TIMING, ...options.timing }
  // Loaded only here: who reads manifests does not pay for the client library.
  const { KubeAccess } = await import('./kube-access.ts')
  const api = new ApiServer(new KubeAccess(options), timing)
  const end = new AbortController()
  const signal = AbortSignal.any([outer, end.signal])
  const bell = new ChangeBell(signal)
  const shared = {
    api,
    timing,
    clock: options.clock ?? SYSTEM_CLOCK,
    signal,
    onChange: () => bell.ring(),
    onStatus: options.onStatus ?? (() => undefined),
  }
  const resources = resourcesFor(nodeName)
  const services = new Informer(resources.services, shared)
  const endpointSlices = new Informer(resources.endpointSlices, shared)
  const nodes = new Informer(resources.nodes, shared)
  const serviceCIDRs = new Informer(resources.serviceCIDRs, shared)
  const informers = [services, endpointSlices, nodes, serviceCIDRs]
  const runs = informers.map((informer) => informer.run())
  try {
    while (await bell.wait()) {
      if (!informers.every(({ synced }) => synced)) continue
      await onChange({
        objects: {
          services: services.store.objects,
          endpointSlices: endpointSlices.store.objects,
          nodes: nodes.store.objects,
          serviceCIDRs: serviceCIDRs.store.objects,
        },
        errors: informers.flatMap(({ store }) => store.errors),
      })
    }
  } finally {
    end.abort()
    await Promise.all(runs)
    api.close()
  }
}

/** However often it rings before somebody waits, it is heard once. */
class ChangeBell {
  readonly #signal: AbortSignal
  #rung = Promise.withResolvers<void>()

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', () => this.ring(), { once: true })
  }

  ring(): void {
    this.#rung.resolve()
  }

  /** @returns Whether there is a change; false: the signal has aborted. */
  async wait(): Promise<boolean> {
    if (this.#signal.aborted) return false
    await this.#rung.promise
    this.#rung = Promise.withResolvers()
    return !this.#signal.aborted
  }
}
