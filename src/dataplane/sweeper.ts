// SPDX-License-Identifier: Apache-2.0
/** Walks the flows: forgets those that ended, and clears the filter's bits that neither they nor any Service needs. */

import { setImmediate as yieldToEvents } from 'node:timers/promises'
import { Direction, type Flow, FlowFlags, type FlowKey } from '../abi/generated.ts'
import type { HashMap } from '../bpf/hash-map.ts'
import { ipProtocol } from '../compiler/ip-protocol.ts'
import { bitOfBytes, clearBit, type FilterBits, setBit } from './filter-bits.ts'
import { DEFAULT_FLOW_TIMEOUTS, type FlowTimeouts, idleLimit } from './flow-timeouts.ts'

const NS_PER_S = 1_000_000_000n

/** A client that still sends chooses anew by itself; this is for those that fell silent. */
const DEAD_BACKEND_IDLE_S = 5

export interface SweeperOptions {
  readonly flows: HashMap<FlowKey, Flow>
  /** The filter's mapping. */
  readonly filter: Uint32Array
  readonly bits: FilterBits
  /** Whether an id still stands for this endpoint, and it serves. */
  readonly serves: (id: number, address: Uint8Array, port: number) => boolean
  /** CLOCK_MONOTONIC in nanoseconds. */
  readonly now: () => bigint
  readonly timeouts?: FlowTimeouts
}

export interface SweepReport {
  /** Entries, two a flow. */
  readonly seen: number
  readonly deleted: number
  readonly clearedBits: number
}

export class Sweeper {
  readonly #options: SweeperOptions
  readonly #timeouts: FlowTimeouts
  /** Bits that nobody needed at the last sweep; a bit goes when that is so twice. */
  #idleBits = new Set<number>()

  constructor(options: SweeperOptions) {
    this.#options = options
    this.#timeouts = options.timeouts ?? DEFAULT_FLOW_TIMEOUTS
  }

  /** One walk over all flows, in blocks, with room for other work in between. */
  async sweep(): Promise<SweepReport> {
    const { flows } = this.#options
    const used = new Uint8Array(this.#options.filter.length * 32)
    let seen = 0
    let deleted = 0
    for (const block of flows.blocks()) {
      const keys = new DataView(block.keys.buffer, block.keys.byteOffset, block.keys.byteLength)
      const values = new DataView(block.values.buffer, block.values.byteOffset, block.values.byteLength)
      const dead: FlowKey[] = []
      for (let i = 0; i < block.count; i++) {
        const key = flows.key.decode(keys, i * flows.key.size)
        const flow = flows.value.decode(values, i * flows.value.size)
        const pair = this.#expiredPair(key, flow)
        if (pair === undefined) markBits(used, key)
        else dead.push(key, pair)
      }
      seen += block.count
      if (dead.length > 0) deleted += flows.deleteMany(dead)
      await yieldToEvents()
    }
    return { seen, deleted, clearedBits: await this.#clearBits(used) }
  }

  /** The other direction's key when both are to go; undefined when the flow lives. */
  #expiredPair(key: FlowKey, flow: Flow): FlowKey | undefined {
    const { flows, now } = this.#options
    const limitS = this.#isAbandoned(key, flow) ? DEAD_BACKEND_IDLE_S : idleLimit(key.proto, flow.state, this.#timeouts)
    const deadline = now() - BigInt(limitS) * NS_PER_S
    if (flow.seenNs >= deadline) return undefined
    const pair = pairKey(key, flow)
    // One direction may be silent while the other is not, and may know less of the state.
    const other = flows.get(pair)
    return other !== undefined && other.seenNs >= deadline ? undefined : pair
  }

  /** UDP to a backend that serves no more. */
  #isAbandoned(key: FlowKey, flow: Flow): boolean {
    if (key.proto !== ipProtocol.UDP) return false
    return flow.flags & FlowFlags.FLOW_F_REPLY
      ? !this.#options.serves(flow.backend, key.src, key.sport)
      : !this.#options.serves(flow.backend, flow.dst, flow.dport)
  }

  async #clearBits(used: Uint8Array): Promise<number> {
    const { filter, bits, flows } = this.#options
    const idle = new Set<number>()
    for (const bit of setBits(filter)) if (!used[bit] && !bits.wanted(bit)) idle.add(bit)
    const cleared = new Set([...idle].filter((bit) => this.#idleBits.has(bit)))
    this.#idleBits = idle
    if (cleared.size === 0) return 0
    for (const bit of cleared) clearBit(filter, bit)
    // A flow that began during the walk found the bit still set.
    const again = new Uint8Array(used.length)
    for (const block of flows.blocks()) {
      const keys = new DataView(block.keys.buffer, block.keys.byteOffset, block.keys.byteLength)
      for (let i = 0; i < block.count; i++) markBits(again, flows.key.decode(keys, i * flows.key.size))
    }
    for (const bit of cleared) {
      if (!again[bit] && !bits.wanted(bit)) continue
      setBit(filter, bit)
      cleared.delete(bit)
    }
    return cleared.size
  }
}

/** A flow is found by where it goes to, or, its replies, by where they come from. */
function markBits(used: Uint8Array, key: FlowKey): void {
  used[bitOfBytes(key.dst, key.dport, key.proto)] = 1
  used[bitOfBytes(key.dst, 0, 0)] = 1
  used[bitOfBytes(key.src, key.sport, key.proto)] = 1
}

function* setBits(filter: Uint32Array): Generator<number, void, undefined> {
  for (let word = 0; word < filter.length; word++) {
    for (let rest = filter[word] as number; rest !== 0; rest &= rest - 1) {
      yield word * 32 + 31 - Math.clz32(rest & -rest)
    }
  }
}

/** What this direction's packets become, turned round: as `flow_pair_key()` in the programs. */
function pairKey(key: FlowKey, flow: Flow): FlowKey {
  return {
    src: flow.dst,
    dst: flow.src,
    sport: flow.dport,
    dport: flow.sport,
    proto: key.proto,
    dir: flow.flags & FlowFlags.FLOW_F_PAIR_EGRESS ? Direction.DIR_EGRESS : Direction.DIR_INGRESS,
  }
}
