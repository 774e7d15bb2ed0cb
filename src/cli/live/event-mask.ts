// SPDX-License-Identifier: Apache-2.0
/** Which packets programs report: a bit a reason, in the map `control`. */

import { type Control, controlCodec, Reason } from '../../abi/generated.ts'
import type { MmapArray } from '../../bpf/mmap-array.ts'
import { UsageError } from '../command.ts'
import { reasons, type VerdictWord, verdictOf, verdictWords } from './words.ts'

/** Every packet of a node has one of these: they are reported only when they are asked for. */
const COMMON: readonly number[] = [
  Reason.PASS_NOT_SERVICE,
  Reason.PASS_NOT_IP,
  Reason.PASS_LATER_HOOK,
  Reason.FORWARD_FLOW,
  Reason.FORWARD_REPLY,
]

/**
 * The mask of the reasons and verdicts that were asked for; by default all but those that common packets have.
 *
 * @throws UsageError for a word that is neither
 */
export function eventMask(reasonNames: readonly string[], verdicts: readonly string[]): bigint {
  const chosen = new Set(reasonNames.map(readReason))
  const wanted = new Set(verdicts.map(readVerdict))
  const byDefault = chosen.size === 0 && wanted.size === 0
  let mask = 0n
  for (const [reason] of reasons) {
    const common = COMMON.includes(reason)
    if (chosen.has(reason) || (!common && (byDefault || wanted.has(verdictOf(reason))))) mask |= 1n << BigInt(reason)
  }
  return mask
}

/** Replaces the mask, in one store. @returns what puts the former one back. */
export function setEventMask(control: MmapArray<Control>, mask: bigint): () => void {
  const word = new BigUint64Array(control.bytes.buffer, control.bytes.byteOffset + eventsOffset(control.get(0)), 1)
  const before = Atomics.exchange(word, 0, mask)
  return () => void Atomics.store(word, 0, before)
}

/** Where `events` stands: the first byte that differs when all of its bits do. */
function eventsOffset(control: Control): number {
  const [zero, ones] = [0n, 2n ** 64n - 1n].map((events) => {
    const bytes = new Uint8Array(controlCodec.size)
    controlCodec.encode({ ...control, events }, new DataView(bytes.buffer), 0)
    return bytes
  })
  return (zero as Uint8Array).findIndex((byte, index) => byte !== ones?.[index])
}

function readReason(word: string): number {
  const name = word.toUpperCase().replaceAll('-', '_')
  const found = reasons.find(([, known]) => known === name)
  if (found === undefined)
    throw new UsageError(`no reason "${word}"; there are ${reasons.map(([, n]) => n).join(', ')}`)
  return found[0]
}

function readVerdict(word: string): VerdictWord {
  const found = verdictWords.find((verdict) => verdict === word)
  if (found === undefined) throw new UsageError(`no verdict "${word}"; there are ${verdictWords.join(', ')}`)
  return found
}
