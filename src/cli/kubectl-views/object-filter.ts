// SPDX-License-Identifier: Apache-2.0
/** Which objects a command line names: kubectl's -n and -A. */

import type { Options, Values } from '../command.ts'
import type { ObjectFilter } from './print-objects.ts'

export const objectOptions = {
  namespace: { type: 'string', short: 'n', placeholder: 'NAME', description: 'Namespace of the objects' },
  'all-namespaces': { type: 'boolean', short: 'A', default: false, description: 'Objects of every namespace' },
} as const satisfies Options

/** @param word `NAME` or `NAMESPACE/NAME`. */
export function objectFilter(values: Values<typeof objectOptions>, word: string | undefined): ObjectFilter {
  const [name, namespace] = word?.split('/').reverse() ?? []
  if (values['all-namespaces'] && word === undefined) return { namespace: undefined, name: undefined }
  return { namespace: namespace ?? values.namespace ?? 'default', name }
}
