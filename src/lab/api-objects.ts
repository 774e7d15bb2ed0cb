// SPDX-License-Identifier: Apache-2.0
/** A lab's objects in a real API server, handled as an operator does: by kubectl. */

import { type ModelKind, type ModelObject, normalize } from '../model/normalize.ts'
import { objectKey } from '../model/normalize-metadata.ts'
import type { ObjectSet } from '../model/types.ts'
import { LabError } from './lab-error.ts'
import type { LabObjects } from './lab-objects.ts'
import type { ManifestObject, ObjectName } from './manifest.ts'
import { runChecked } from './run.ts'
import { until } from './until.ts'

const timeout = '--timeout=60s'

interface RawObject {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

export class ApiObjects implements LabObjects {
  readonly #kubectl: string

  /** @param kubectl Path of a kubectl that finds the API server. */
  constructor(kubectl: string) {
    this.#kubectl = kubectl
  }

  async apply(objects: readonly ManifestObject[]): Promise<void> {
    const list = { apiVersion: 'v1', kind: 'List', items: objects }
    await runChecked([this.#kubectl, 'apply', '-f', '-'], { input: JSON.stringify(list) })
    await Promise.all(
      objects.map(async ({ kind, metadata: { name, namespace = 'default' } }) => {
        if (kind === 'Deployment') await this.#run('rollout', 'status', `deployment/${name}`, '-n', namespace, timeout)
        if (kind === 'Pod') await this.#run('wait', '--for=condition=Ready', `pod/${name}`, '-n', namespace, timeout)
      }),
    )
  }

  async delete({ kind, name, namespace = 'default' }: ObjectName): Promise<void> {
    await this.#run('delete', kind, name, '-n', namespace, '--ignore-not-found')
  }

  async scale(workload: string, replicas: number): Promise<void> {
    const [name = '', namespace = 'default'] = workload.split('.').reverse()
    const deployment = `deployment/${name}`
    await this.#run('scale', deployment, '-n', namespace, `--replicas=${replicas}`)
    await this.#run('rollout', 'status', deployment, '-n', namespace, timeout)
    const { spec } = JSON.parse(await this.#run('get', deployment, '-n', namespace, '-o', 'json')) as {
      spec: { selector: { matchLabels?: Record<string, string> } }
    }
    const selector = Object.entries(spec.selector.matchLabels ?? {}).map(([label, value]) => `${label}=${value}`)
    // Those that terminate are no replicas any more, and still there.
    const list = ['get', 'pods', '-n', namespace, '-l', selector.join(), '-o', 'name']
    await until(
      `${workload} has ${replicas} pods`,
      async () => (await this.#run(...list)).split('\n').filter((line) => line !== '').length === replicas,
      60_000,
    )
  }

  async read(): Promise<ObjectSet> {
    const kinds = 'services,endpointslices,nodes,servicecidrs'
    const { items } = JSON.parse(await this.#run('get', kinds, '--all-namespaces', '-o', 'json')) as {
      items: RawObject[]
    }
    return {
      services: objectsOf('Service', items),
      endpointSlices: objectsOf('EndpointSlice', items),
      nodes: objectsOf('Node', items),
      serviceCIDRs: objectsOf('ServiceCIDR', items),
    }
  }

  async #run(...args: readonly string[]): Promise<string> {
    return await runChecked([this.#kubectl, ...args], { timeoutMs: 90_000 })
  }
}

function objectsOf<K extends ModelKind>(kind: K, items: readonly RawObject[]): Map<string, ModelObject<K>> {
  return new Map(
    items
      .filter((item) => item.kind === kind)
      .map((item) => {
        const { object, error } = normalize(kind, item, 'kubectl')
        if (error) throw new LabError('LAB_BAD_OBJECT', `${error.object}: ${error.field}: ${error.message}`)
        return [objectKey(object.metadata), object]
      }),
  )
}
