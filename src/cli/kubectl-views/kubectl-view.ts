// SPDX-License-Identifier: Apache-2.0
/** A kind of object that `maglane get --manifests` lists in kubectl's words. */

import type { Metadata } from '../../model/types.ts'
import type { Manifests } from '../../source/derive-objects.ts'

export interface KubectlView<T extends { readonly metadata: Metadata }> {
  readonly apiVersion: string
  readonly kind: string
  /** As messages call the kind: `services`. */
  readonly plural: string
  readonly objects: (manifests: Manifests) => Iterable<T>
  readonly columns: readonly KubectlColumn<T>[]
}

export interface KubectlColumn<T> {
  readonly title: string
  readonly cell: (object: T, context: CellContext) => string
  /** Shown by `-o wide` alone. */
  readonly wide?: boolean
}

export interface CellContext {
  readonly nowMs: number
}

/** The most that a cell lists before it counts the rest. */
const LISTED = 3

/** The first of a list, and how many more there are. */
export function shortList(items: readonly string[]): string {
  const shown = items.slice(0, LISTED).join(',')
  return items.length > LISTED ? `${shown} + ${items.length - LISTED} more...` : shown
}

export function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** `app=web,tier=front`, `<none>`. */
export function formatLabels(labels: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))
  return pairs.length === 0 ? '<none>' : pairs.map(([name, value]) => `${name}=${value}`).join(',')
}
