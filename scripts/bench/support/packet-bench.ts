// SPDX-License-Identifier: Apache-2.0
/** The packets whose cost is measured on one hook, and the programs that they are given to. */

import { FlowFlags, flowCodec, flowKeyCodec, Reason, reasonNames } from '../../../src/abi/generated.ts'
import { HashMap } from '../../../src/bpf/hash-map.ts'
import { addressPlan, type Family } from './addresses.ts'
import type { BenchNetwork } from './bench-network.ts'
import { Driver, type FrameSet, type Hook } from './driver.ts'
import { TcpFlag, type Tuple } from './frame.ts'
import { clientTuples, replyTuples, shuffled } from './tuples.ts'
import { createWorld, type World } from './world.ts'

export const FLOWS = 65_536
/** Entries of tables that stay in the second cache. */
const SMALL_TABLE = 1024
/** Packets that one flow sends: some 20 ms. */
const PACKETS_OF_ONE = 200_000

/** One kind of packet on one program. */
export interface PacketCase {
  readonly name: string
  /** Is the program one that the others are compared with? */
  readonly reference: boolean
  /** Runs once; nanoseconds a packet with the driver's share, and the driver's share. */
  readonly one?: () => Sample
  readonly many?: () => Sample
}

export interface Sample {
  readonly gross: number
  readonly driver: number
}

/** maglane's programs of a hook; `out` sees what the node sends. */
const programs = { xdp: { in: 'xdp_net', out: undefined }, tc: { in: 'tc_net_in', out: 'tc_net_out' } } as const

/** A packet did not take the way that it was meant to: the numbers would be another case's. */
export class BenchError extends Error {
  override readonly name = 'BenchError'
  readonly code = 'E_BENCH'
}

export class PacketBench implements Disposable {
  readonly #stack = new DisposableStack()
  readonly #network: BenchNetwork
  readonly #family: Family
  readonly #hook: Hook
  readonly cases: readonly PacketCase[]

  constructor(options: { readonly hook: Hook; readonly family: Family; readonly network: BenchNetwork }) {
    this.#hook = options.hook
    this.#family = options.family
    this.#network = options.network
    try {
      this.cases = [...this.#established(), ...this.#first()]
    } catch (error) {
      this.#stack.dispose()
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  #world(flows?: number): World {
    const { in: entry, out } = programs[this.#hook]
    // Flows to backends of this node may be tc's to make: it is there for all hooks.
    const names = [...new Set([entry, 'tc_net_in', ...(out ? [out] : [])])]
    return this.#stack.use(
      createWorld({ programs: names, network: this.#network, ...(flows === undefined ? {} : { flows }) }),
    )
  }

  #driver(frames: number, flows?: number, hook = this.#hook): Driver {
    const sizes = { frames, ...(flows === undefined ? {} : { flows }) }
    return this.#stack.use(new Driver({ hook, family: this.#family, network: this.#network, ...sizes }))
  }

  /** Packets of no Service, and of flows that exist. */
  #established(): PacketCase[] {
    const plan = addressPlan(this.#family)
    const driver = this.#driver(6 * FLOWS)
    const { in: entry, out } = programs[this.#hook]
    const local = clientTuples(plan, FLOWS, () => plan.localVip)
    const remote = clientTuples(plan, FLOWS, () => plan.remoteVip)
    // One case's flows to a table, as the reference's table holds one case's.
    const [near, far] = [local, remote].map((tuples) => {
      const world = this.#world()
      makeFlows(world, this.#driver(FLOWS, 1, 'tc'), tuples)
      return world
    }) as [World, World]

    const strangers = driver.addFrames(shuffled(clientTuples(plan, FLOWS, (i) => plan.stranger(i))), TcpFlag.ACK)
    const toLocal = driver.addFrames(shuffled(local), TcpFlag.ACK)
    const toRemote = driver.addFrames(shuffled(remote), TcpFlag.ACK)
    const snat = (flags: number) => (flags & FlowFlags.FLOW_F_SNAT) !== 0
    const answered = replyTuples(far.maps, snat)
    const masqueraded = driver.addFrames(shuffled(answered), TcpFlag.ACK)
    // Entered in one order, looked up in another.
    driver.drive({ programFd: driver.reference('parse_insert'), frames: driver.addFrames(local, TcpFlag.SYN) })

    // A hop is asked for again after some time, and tc is who asks; XDP would leave the packet to it.
    const tc = this.#driver(2 * FLOWS, 1, 'tc')
    const hops = [remote, answered].map((tuples) => tc.addFrames(tuples, TcpFlag.ACK))
    const refresh = () => {
      // All at once, so that none grows too old while it is measured.
      const control = far.maps.control.get(0)
      far.maps.control.set(0, { ...control, hopEpoch: control.hopEpoch + 1 })
      for (const frames of hops) tc.drive({ programFd: far.program('tc_net_in').fd, frames })
    }
    const reference = (name: string, program: string) =>
      this.#hitCase(name, driver, driver.reference(program), toLocal, undefined)
    const hit = (name: string, world: World, frames: FrameSet, reason: number) =>
      this.#hitCase(name, driver, world.program(entry).fd, frames, { world, reason }, world === far ? { refresh } : {})
    const cases = [
      reference('parse', 'parse'),
      reference('parse + LRU lookup', 'parse_lookup'),
      reference('parse + LRU lookup + DNAT', 'parse_dnat'),
      hit('pass: no Service', near, strangers, Reason.PASS_NOT_SERVICE),
      hit('established: DNAT to a local backend', near, toLocal, Reason.FORWARD_FLOW),
      hit('established: SNAT to a remote backend', far, toRemote, Reason.FORWARD_FLOW),
      hit('reply of a remote backend', far, masqueraded, Reason.FORWARD_REPLY),
    ]
    if (out === undefined) return cases
    const answers = driver.addFrames(shuffled(replyTuples(near.maps, (flags) => !snat(flags))), TcpFlag.ACK)
    const expected = { world: near, reason: Reason.FORWARD_REPLY }
    // Seen where it leaves the node; it came in from the pod.
    const options = { ingressIfindex: this.#network.pod }
    return [
      ...cases,
      this.#hitCase('reply of a local backend', driver, near.program(out).fd, answers, expected, options),
    ]
  }

  #hitCase(
    name: string,
    driver: Driver,
    programFd: number,
    frames: FrameSet,
    expected: { readonly world: World; readonly reason: number } | undefined,
    { refresh, ...options }: { readonly ingressIfindex?: number; readonly refresh?: () => void } = {},
  ): PacketCase {
    const run = (set: FrameSet, packets: number) => () => {
      refresh?.()
      driver.drive({ programFd, frames: set, ...options })
      const before = expected ? countOf(expected) : 0n
      const gross = driver.drive({ programFd, frames: set, packets, ...options })
      if (expected) requireReason(name, expected, before, packets)
      return { gross, driver: driver.drive({ programFd: driver.reference('null'), frames: set, packets, ...options }) }
    }
    return {
      name,
      reference: expected === undefined,
      one: run({ first: frames.first, count: 1 }, PACKETS_OF_ONE),
      many: run(frames, 2 * FLOWS),
    }
  }

  /** Packets that make a flow, in tables that have room, and in full ones that must forget another flow first. */
  #first(): PacketCase[] {
    const plan = addressPlan(this.#family)
    const backends: [string, string][] = [['remote', plan.remoteVip]]
    // XDP leaves a new flow to a backend of this node to tc, where conntrack can be asked.
    if (this.#hook === 'tc') backends.push(['local', plan.localVip])
    const tuples = backends.map(([, vip]) => clientTuples(plan, FLOWS, () => vip))

    const small = { world: this.#world(SMALL_TABLE), driver: this.#driver(2 * FLOWS, SMALL_TABLE / 2) }
    const empty = { world: this.#world(), driver: this.#driver(2 * FLOWS) }
    const full = { world: this.#world(FLOWS), driver: this.#driver(2 * FLOWS, FLOWS / 2) }
    const cases: PacketCase[] = []
    const sets = [small, empty, full].map(({ driver }) => tuples.map((set) => driver.addFrames(set, TcpFlag.SYN)))
    const add = (name: string, index: number, fd: (side: typeof small) => number, reference: boolean) => {
      const run = (side: typeof small, frames: FrameSet, clear: boolean) => () => {
        const expected = { world: side.world, reason: Reason.FORWARD_NEW }
        if (clear) for (const table of [side.world.maps.flows, referenceFlows(side.driver)]) table.clear()
        else side.driver.drive({ programFd: fd(side), frames })
        const before = countOf(expected)
        const gross = side.driver.drive({ programFd: fd(side), frames })
        if (!reference) requireReason(name, expected, before, frames.count)
        return { gross, driver: side.driver.drive({ programFd: side.driver.reference('null'), frames }) }
      }
      const [inSmall, inEmpty, inFull] = sets.map((each) => each[index] as FrameSet) as [FrameSet, FrameSet, FrameSet]
      cases.push({ name, reference, one: run(small, inSmall, false), many: run(empty, inEmpty, true) })
      cases.push({ name: `${name}, table full`, reference, many: run(full, inFull, false) })
    }
    add('parse + LRU insert', 0, ({ driver }) => driver.reference('parse_insert'), true)
    const entry = programs[this.#hook].in
    for (const [index, [place]] of backends.entries()) {
      add(`first packet, ${place} backend`, index, ({ world }) => world.program(entry).fd, false)
    }
    return cases
  }
}

function referenceFlows(driver: Driver) {
  return new HashMap(driver.flows, flowKeyCodec, flowCodec)
}

function makeFlows(world: World, driver: Driver, tuples: readonly Tuple[]): void {
  const expected = { world, reason: Reason.FORWARD_NEW }
  const frames = driver.addFrames(tuples, TcpFlag.SYN)
  driver.drive({ programFd: world.program('tc_net_in').fd, frames })
  requireReason('making flows', expected, 0n, frames.count)
}

function countOf({ world, reason }: { readonly world: World; readonly reason: number }): bigint {
  return world.maps.reasons.sum(reason).packets
}

/** All but a few: a full table may have kept a flow that was thought forgotten. */
function requireReason(
  name: string,
  expected: { readonly world: World; readonly reason: number },
  before: bigint,
  packets: number,
): void {
  const counted = Number(countOf(expected) - before)
  if (counted >= packets * 0.99) return
  const wanted = reasonNames[expected.reason] ?? String(expected.reason)
  throw new BenchError(`${name}: only ${counted} of ${packets} packets were concluded as ${wanted}`)
}
