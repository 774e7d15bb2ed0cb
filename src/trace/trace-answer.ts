// SPDX-License-Identifier: Apache-2.0
/** What a trace says: the contract of its JSON, and what a person wants to know besides. */

import { formatEndpoint } from '../abi/address.ts'
import {
  BackendFlags,
  type BackendSet,
  type Event,
  FlowFlags,
  type Frontend,
  FrontendFlags,
  Scope,
} from '../abi/generated.ts'
import { BackendSets } from '../cli/live/backend-sets.ts'
import { formatService, formatServicePort } from '../cli/live/service-names.ts'
import { kindWord, type VerdictWord, verdictOf } from '../cli/live/words.ts'
import { ipProtocol } from '../compiler/ip-protocol.ts'
import type { FrontendKind, ServicePlan } from '../model/types.ts'
import { explain } from './explain.ts'
import type { ProgramCopy } from './program-copy.ts'
import type { ClientPlace, TracePacket } from './trace-packet.ts'

/** The JSON. Its keys and words are stable. */
export interface TraceAnswer {
  readonly verdict: VerdictWord
  /** `namespace/name:port`, without the colon for a port that has no name; null where no port of a Service is concerned. */
  readonly service: string | null
  readonly frontend: FrontendKind | null
  /** Every backend that this packet's client could get, sorted as text; none unless the verdict is forward. */
  readonly candidates: readonly string[]
  readonly selected: string | null
  /** The client's address is replaced. */
  readonly masquerade: boolean
  /** `CODE: sentence`; the code is that of the counters and of `monitor`. */
  readonly reason: string
}

/** What is known of a packet that was decided on. */
export interface TraceFacts {
  readonly packet: TracePacket
  readonly from: ClientPlace
  readonly event: Event
  /** `namespace/name`; '' where no Service is concerned. An address without the port that was asked for has one too. */
  readonly service: string
  readonly plan: Pick<ServicePlan, 'internalTrafficPolicy' | 'externalTrafficPolicy'> | undefined
  /** Undefined: nobody has the destination. */
  readonly frontend: Frontend | undefined
  readonly masqueradeAll: boolean
  readonly answer: Omit<TraceAnswer, 'reason'>
  /** The backend is on this node. */
  readonly local: boolean
}

export interface Trace {
  readonly facts: TraceFacts
  readonly answer: TraceAnswer
}

export interface TraceWorld {
  readonly copy: ProgramCopy
  /** By `namespace/name`; undefined where only the maps are known. */
  readonly plans: ReadonlyMap<string, ServicePlan> | undefined
  readonly masqueradeAll: boolean
  /** True where the maps change meanwhile. */
  readonly live: boolean
}

/** Runs the programs on packets and tells what they did. */
export class Tracer {
  readonly #world: TraceWorld
  #sets: BackendSets
  readonly #candidates = new Map<number, readonly string[]>()

  constructor(world: TraceWorld) {
    this.#world = world
    this.#sets = new BackendSets(world.copy.maps.arena)
  }

  trace(packet: TracePacket, from: ClientPlace): Trace {
    const { copy, plans, masqueradeAll, live } = this.#world
    if (live) this.#forget()
    const event = copy.decide(packet, from)
    const { maps } = copy
    const name = event.service === 0 ? undefined : maps.services.get(event.service)
    const service = formatService(event.service, name)
    const { address, port } = packet.destination
    const frontend = maps.frontends.get({ addr: address, port, proto: ipProtocol[packet.protocol] })
    const facts: TraceFacts = {
      ...{ packet, from, event, service, frontend, masqueradeAll },
      plan: plans?.get(service),
      local: (maps.backends.get(event.backend).flags & BackendFlags.BE_F_LOCAL) !== 0,
      answer: this.#answer(event, frontend, formatServicePort(event.service, name)),
    }
    return { facts, answer: { ...facts.answer, reason: explain(facts) } }
  }

  #answer(event: Event, frontend: Frontend | undefined, servicePort: string): Omit<TraceAnswer, 'reason'> {
    const verdict = verdictOf(event.reason)
    const none = { candidates: [], selected: null, masquerade: false }
    // A packet that goes on unchanged, or to a port that its Service does not have, is nobody's.
    if (verdict === 'pass' || frontend === undefined) return { verdict, service: null, frontend: null, ...none }
    const concerned = { verdict, service: servicePort, frontend: kindWord(event.kind) || null }
    if (verdict !== 'forward') return { ...concerned, ...none }
    const set = frontend.sets[event.scope]
    return {
      ...concerned,
      candidates: set === undefined ? [] : this.#backendsOf(set),
      selected: formatEndpoint(event.newDst, event.newDport),
      masquerade: (event.flags & FlowFlags.FLOW_F_SNAT) !== 0,
    }
  }

  /** A set of thousands of backends is read once for all packets of a run. */
  #backendsOf(set: BackendSet): readonly string[] {
    let known = this.#candidates.get(set.offset)
    if (known === undefined) {
      const { backends } = this.#world.copy.maps
      known = this.#sets
        .backends(set)
        .map((id) => backends.get(id))
        .map(({ addr, port }) => formatEndpoint(addr, port))
        .sort()
      this.#candidates.set(set.offset, known)
    }
    return known
  }

  #forget(): void {
    this.#sets = new BackendSets(this.#world.copy.maps.arena)
    this.#candidates.clear()
  }
}

/** The frontend gives clients in the cluster another backend set than clients outside. */
export function isScoped({ frontend }: Pick<TraceFacts, 'frontend'>): boolean {
  return ((frontend?.flags ?? 0) & FrontendFlags.FE_F_SCOPED) !== 0
}

/** The client got the backend set of clients outside the cluster. */
export function isExternalScope({ event }: Pick<TraceFacts, 'event'>): boolean {
  return event.scope === Scope.SCOPE_EXTERNAL
}
