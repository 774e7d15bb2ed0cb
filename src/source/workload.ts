// SPDX-License-Identifier: Apache-2.0
/** A raw apps/v1 Deployment or ReplicaSet, trimmed to what somebody needs who runs its Pods. */
import { defined, type Fields } from '../model/fields.ts'
import { normalizeMetadata } from '../model/normalize-metadata.ts'
import type { Metadata } from '../model/types.ts'
import { normalizePodSpec, type PodSpec } from './pod.ts'

export interface Workload {
  readonly kind: 'Deployment' | 'ReplicaSet'
  readonly metadata: Metadata
  readonly spec: {
    readonly replicas: number
    readonly template: {
      readonly labels: Readonly<Record<string, string>>
      readonly annotations: Readonly<Record<string, string>>
      readonly spec: PodSpec
    }
  }
}

/** Throws FieldError: as an API server does, when the selector does not match the template's labels. */
export function normalizeWorkload(kind: Workload['kind']): (object: Fields) => Workload {
  return (object) => {
    const spec = object.object('spec')
    const template = spec.object('template')
    const labels = template.object('metadata').stringMap('labels') ?? {}
    const selector = spec.object('selector').stringMap('matchLabels') ?? {}
    for (const [name, value] of Object.entries(selector)) {
      if (labels[name] !== value) spec.fail('selector', `Does not match the template's labels: ${name}=${value}`)
    }
    return defined<Workload>({
      kind,
      metadata: normalizeMetadata(object, 'Namespaced', 'subdomain'),
      spec: {
        replicas: spec.integer('replicas', 0, 10_000) ?? 1,
        template: {
          labels,
          annotations: template.object('metadata').stringMap('annotations') ?? {},
          spec: normalizePodSpec(template.object('spec')),
        },
      },
    })
  }
}
