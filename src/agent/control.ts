// SPDX-License-Identifier: Apache-2.0
/** The control map: what changes while the programs run. */

import { abiFingerprint, type Cidr, type Control, controlCodec } from '../abi/generated.ts'
import { encoded } from '../abi/runtime.ts'
import type { MmapArray } from '../bpf/mmap-array.ts'

const zero: Control = { abi: 0, hopEpoch: 0, events: 0n, serviceCidrsLen: 0, serviceCidrs: [] }

/** The word in which a field stands: others write other words at the same time, so each is stored by itself. */
function wordOf(field: Partial<Control>): number {
  const bytes = encoded(controlCodec, { ...zero, ...field })
  return new Uint32Array(bytes.buffer).findIndex((word) => word !== 0)
}

const abiWord = wordOf({ abi: 1 })
const epochWord = wordOf({ hopEpoch: 1 })
const cidrsLengthWord = wordOf({ serviceCidrsLen: 1 })

/** The agent's side of the control map. */
export class ControlMap {
  readonly #map: MmapArray<Control>
  #serviceCidrs: string | undefined

  constructor(map: MmapArray<Control>) {
    this.#map = map
  }

  /** Says which layout the maps have. */
  stamp(): void {
    Atomics.store(this.#map.words, abiWord, abiFingerprint)
  }

  /** Every flow looks its next hop up again. */
  raiseHopEpoch(): void {
    Atomics.add(this.#map.words, epochWord, 1)
  }

  /** Addresses of these ranges that no Service holds are dropped. */
  setServiceCidrs(cidrs: readonly Cidr[]): void {
    const content = encoded(controlCodec, { ...zero, serviceCidrs: cidrs })
    const text = Buffer.from(content).toString('latin1')
    if (text === this.#serviceCidrs) return
    const { words } = this.#map
    // No range counts while they are being written.
    Atomics.store(words, cidrsLengthWord, 0)
    const source = new Uint32Array(content.buffer)
    for (let word = cidrsLengthWord + 1; word < source.length; word++) words[word] = source[word] as number
    Atomics.store(words, cidrsLengthWord, cidrs.length)
    this.#serviceCidrs = text
  }
}
