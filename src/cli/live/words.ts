// SPDX-License-Identifier: Apache-2.0
/** The ABI's enums in the words of the command line. */

import { EmptyVerdict, FrontendKind, Reason, reasonNames } from '../../abi/generated.ts'
import type { FrontendKind as KindWord } from '../../model/types.ts'

export type VerdictWord = 'pass' | 'forward' | 'reject' | 'drop'
export const verdictWords: readonly VerdictWord[] = ['pass', 'forward', 'reject', 'drop']

const kinds: Readonly<Record<number, KindWord>> = {
  [FrontendKind.FE_CLUSTER_IP]: 'clusterIP',
  [FrontendKind.FE_NODE_PORT]: 'nodePort',
  [FrontendKind.FE_EXTERNAL_IP]: 'externalIP',
  [FrontendKind.FE_LOAD_BALANCER_IP]: 'loadBalancerIP',
}

/** '' for a kind that is none. */
export function kindWord(kind: number): KindWord | '' {
  return kinds[kind] ?? ''
}

/** What an empty set does. */
export function emptyWord(empty: number): 'reject' | 'drop' {
  return empty === EmptyVerdict.EMPTY_DROP ? 'drop' : 'reject'
}

/** `FORWARD_NEW`; the number where it is none of ours. */
export function reasonWord(reason: number): string {
  return reasonNames[reason] ?? String(reason)
}

/** Every reason with its name, in the order of its number. */
export const reasons: readonly (readonly [reason: number, name: string])[] = Object.entries(Reason)
  .filter(([name]) => name !== 'REASON_MAX')
  .map(([name, reason]) => [reason, name] as const)

/** A reason's name begins with its verdict; a ping is answered by sending it back. */
export function verdictOf(reason: number): VerdictWord {
  const word = reasonWord(reason).split('_', 1)[0]?.toLowerCase()
  return verdictWords.find((verdict) => verdict === word) ?? 'forward'
}

/** Names of the bits that are set, without their common prefix, in lower case: `local`, `snat`. */
export function flagWords(flags: number, names: Readonly<Record<number, string>>, prefix: string): string[] {
  return Object.entries(names)
    .filter(([bit]) => (flags & Number(bit)) !== 0)
    .map(([, name]) => name.slice(prefix.length).toLowerCase())
}
