// SPDX-License-Identifier: Apache-2.0
/** `maglane get KIND --manifests`: the objects of a folder as kubectl prints them. */

import type { Metadata } from '../../model/types.ts'
import type { Manifests } from '../../source/derive-objects.ts'
import { type Args, type Io, UsageError } from '../command.ts'
import { toJson } from '../output.ts'
import { endpointSlicesView } from './endpoint-slices.ts'
import { endpointsView } from './endpoints.ts'
import type { CellContext, KubectlView } from './kubectl-view.ts'
import { podsView } from './pods.ts'
import { servicesView } from './services.ts'
import { formatTabs, TABLE_STYLE } from './tab-writer.ts'

/** Which objects are asked for. */
export interface ObjectFilter {
  /** Undefined: every namespace. */
  readonly namespace: string | undefined
  /** Undefined: every name. */
  readonly name: string | undefined
}

/** There is no object of the name. */
export class NotFoundError extends Error {
  override readonly name = 'NotFoundError'
  readonly code = 'E_NOT_FOUND'
  constructor(plural: string, { namespace, name }: ObjectFilter) {
    super(`${plural} "${name}" not found in ${namespace} namespace`)
  }
}

type Print = (manifests: Manifests, filter: ObjectFilter, context: CellContext, output: Args['output']) => string

/** kubectl's singular and short names are among them. */
const kinds: Readonly<Record<string, Print>> = {
  ...named(['services', 'service', 'svc'], servicesView),
  ...named(['endpoints', 'ep'], endpointsView),
  ...named(['endpointslices', 'endpointslice'], endpointSlicesView),
  ...named(['pods', 'pod', 'po'], podsView),
}

/** What `get` takes only with `--manifests`, or also with it. */
export const manifestKinds = ['services', 'endpoints', 'endpointslices', 'pods']

export function isManifestKind(kind: string): boolean {
  return Object.hasOwn(kinds, kind)
}

/** @throws UsageError for an unknown kind, NotFoundError for an unknown name */
export function printObjects(
  kind: string,
  manifests: Manifests,
  filter: ObjectFilter,
  output: Args['output'],
  io: Pick<Io, 'stdout' | 'stderr'>,
): void {
  const print = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  if (print === undefined) throw new UsageError(`get --manifests takes one of ${manifestKinds.join(', ')}`)
  const text = print(manifests, filter, { nowMs: Date.now() }, output)
  const where = filter.namespace === undefined ? '' : ` in ${filter.namespace} namespace.`
  if (text === '') io.stderr(`No resources found${where}\n`)
  else io.stdout(text)
}

function named<T extends { readonly metadata: Metadata }>(
  names: readonly string[],
  view: KubectlView<T>,
): Record<string, Print> {
  const print: Print = (manifests, filter, context, output) => {
    const objects = select(view, manifests, filter)
    if (filter.name !== undefined && objects.length === 0) throw new NotFoundError(view.plural, filter)
    if (output === 'json') return toJson(objectList(view, objects, filter))
    return objects.length === 0
      ? ''
      : table(view, objects, { everyNamespace: filter.namespace === undefined, wide: output === 'wide' }, context)
  }
  return Object.fromEntries(names.map((name) => [name, print]))
}

/** In the order of an API server's list. */
function select<T extends { readonly metadata: Metadata }>(
  view: KubectlView<T>,
  manifests: Manifests,
  { namespace, name }: ObjectFilter,
): T[] {
  const order = ({ metadata }: T) => `${metadata.namespace}/${metadata.name}`
  return [...view.objects(manifests)]
    .filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace)
    .filter(({ metadata }) => name === undefined || metadata.name === name)
    .sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

function table<T extends { readonly metadata: Metadata }>(
  view: KubectlView<T>,
  objects: readonly T[],
  { everyNamespace, wide: everyColumn }: { readonly everyNamespace: boolean; readonly wide: boolean },
  context: CellContext,
): string {
  const columns = view.columns.filter(({ wide }) => everyColumn || wide !== true)
  const namespace = (text: string) => (everyNamespace ? [text] : [])
  const titles = [...namespace('NAMESPACE'), ...columns.map(({ title }) => title)]
  const rows = objects.map((object) => [
    ...namespace(object.metadata.namespace),
    ...columns.map(({ cell }) => cell(object, context)),
  ])
  return formatTabs([titles, ...rows], TABLE_STYLE)
}

/** One object where one was named, else a List. */
function objectList<T extends object>(
  { apiVersion, kind }: { apiVersion: string; kind: string },
  objects: readonly T[],
  { name }: ObjectFilter,
) {
  const items = objects.map((object) => ({ apiVersion, kind, ...object }))
  return name === undefined ? { apiVersion: 'v1', kind: 'List', items } : items[0]
}
