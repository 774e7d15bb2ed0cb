// SPDX-License-Identifier: Apache-2.0
/** Pods by label, so that a selector need not look at every Pod. */
import type { Pod } from '../pod.ts'

export class PodIndex {
  readonly #byLabel = new Map<string, Pod[]>()

  constructor(pods: Iterable<Pod>) {
    for (const pod of pods) {
      for (const [name, value] of Object.entries(pod.metadata.labels ?? {})) {
        const key = labelKey(pod.metadata.namespace, name, value)
        const known = this.#byLabel.get(key)
        if (known) known.push(pod)
        else this.#byLabel.set(key, [pod])
      }
    }
  }

  /** Pods of the namespace that have every label, by name. An empty selector selects none, as the controllers have it. */
  select(namespace: string, selector: Readonly<Record<string, string>>): Pod[] {
    const wanted = Object.entries(selector)
    const lists = wanted.map(([name, value]) => this.#byLabel.get(labelKey(namespace, name, value)) ?? [])
    const [shortest] = lists.sort((a, b) => a.length - b.length)
    const matches = (pod: Pod) => wanted.every(([name, value]) => pod.metadata.labels?.[name] === value)
    return (shortest ?? []).filter(matches).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  }
}

function labelKey(namespace: string, name: string, value: string): string {
  return `${namespace} ${name} ${value}`
}
