// SPDX-License-Identifier: Apache-2.0
/**
 * What a node must do with a packet, given what the maps say: a second opinion, written from how Services behave and from
 * what the programs' headers promise, slow and plain. It follows one node's programs packet by packet, as both remember
 * connections.
 */

import type { Reason as reasons } from '../abi/generated.ts'
import { refusalOf, timeExceededOf } from './answers.ts'
import { type Connection, type Entry, FlowMemory, isClosed, type Side } from './flow-memory.ts'
import { clientHash, slotOf, tupleHash } from './hash.ts'
import { type AddressText, type Frame, isUnicast, readFrame, type Tuple } from './read-frame.ts'
import { rewriteError, rewritePacket, rewritePing } from './rewrite.ts'
import { inCidr, type World, type WorldBackend, type WorldFrontend, type WorldSet } from './world.ts'

export type Reason = keyof typeof reasons
export type ReferenceHook = 'xdp_net' | 'tc_net_in' | 'tc_net_out' | 'tc_pod_in' | 'tc_pod_out'

/** The knobs that change what becomes of a packet. */
export interface ReferenceKnobs {
  readonly seed: number
  readonly snatPortMin: number
  readonly snatPortMax: number
  readonly masqueradeAll: boolean
  readonly asksConntrack: boolean
  /** detectLocalMode by device; else by {@link inCluster}. */
  readonly detectByDevice: boolean
  readonly inCluster: readonly { readonly addr: Uint8Array; readonly mask: Uint8Array }[]
  /** The node's address of each family, which routes name. */
  readonly nodeAddress4: AddressText
  readonly nodeAddress6: AddressText
}

export interface Passage {
  readonly hook: ReferenceHook
  readonly ifindex: number
  /** The packet was made by the node itself (tc_net_out). */
  readonly ownPacket: boolean
}

/** What the program chose where it was free to: the client's port after translation; undefined: it made no flow. */
export type ChosenPort = number | undefined

export interface Judgement {
  readonly reason: Reason
  readonly action: 'pass' | 'drop' | 'back' | 'redirect'
  /** Undefined: the packet is gone. */
  readonly packet: Uint8Array | undefined
  /** Offsets of checksums, which may write zero as 0x0000 or 0xffff. */
  readonly checksums: readonly number[]
  /** A checksum of four bytes that may be anything. */
  readonly unjudged?: number
  /** Ids; 0: none; undefined: the program need not say. */
  readonly service: number | undefined
  readonly backend: number | undefined
}

const TCP = 6
const LOOPBACK_IFINDEX = 1
const UDP = 17
const SCTP = 132
/** A port that the node picks for a client that keeps its address. */
const FREE_PORTS = { min: 1024, max: 65_535 }
/** So many ports are tried; with more in use the programs may give up although one is free. */
const TRIES = 24

export class ReferenceNode {
  readonly #knobs: ReferenceKnobs
  readonly #flows = new FlowMemory()
  readonly #fragments = new Map<string, { readonly sport: number; readonly dport: number }>()
  readonly #affinities = new Map<string, AddressText>()
  world: World

  constructor(knobs: ReferenceKnobs, world: World) {
    this.#knobs = knobs
    this.world = world
  }

  forget(): void {
    this.#flows.clear()
    this.#fragments.clear()
    this.#affinities.clear()
  }

  /** @throws Error when the program chose a port that it must not. */
  judge(bytes: Uint8Array, passage: Passage, chosenPort: ChosenPort): Judgement {
    const frame = readFrame(bytes)
    if (typeof frame === 'string') return verdict(frame, bytes)
    return new Case(this.#knobs, this.world, this.#flows, this.#fragments, this.#affinities, {
      bytes,
      passage,
      chosenPort,
      frame,
    }).decide()
  }
}

interface Packet {
  readonly bytes: Uint8Array
  readonly passage: Passage
  readonly chosenPort: ChosenPort
  readonly frame: Frame
}

/** One packet's case. */
class Case {
  readonly #knobs: ReferenceKnobs
  readonly #world: World
  readonly #flows: FlowMemory
  readonly #fragments: Map<string, { readonly sport: number; readonly dport: number }>
  readonly #affinities: Map<string, AddressText>
  readonly #packet: Packet
  readonly #side: Side
  #tuple: Tuple
  #portsKnown = true

  constructor(
    knobs: ReferenceKnobs,
    world: World,
    flows: FlowMemory,
    fragments: Map<string, { readonly sport: number; readonly dport: number }>,
    affinities: Map<string, AddressText>,
    packet: Packet,
  ) {
    this.#knobs = knobs
    this.#world = world
    this.#flows = flows
    this.#fragments = fragments
    this.#affinities = affinities
    this.#packet = packet
    this.#tuple = packet.frame.tuple
    const { hook } = packet.passage
    this.#side = hook === 'tc_net_out' || hook === 'tc_pod_out' ? 'egress' : 'ingress'
  }

  decide(): Judgement {
    const { frame, bytes } = this.#packet
    if (frame.fragment === 'later') {
      const first = this.#fragments.get(this.#fragmentKey())
      this.#portsKnown = first !== undefined
      if (first) this.#tuple = { ...this.#tuple, ...first }
    }
    const entry = this.#flows.find(this.#tuple, this.#side)
    // What was forwarded was seen when it came in: only replies are looked for on its way out, and what belongs to one.
    if (entry && (this.#mayAsk() || entry.reply || frame.fragment === 'later')) {
      if (!this.#mustChooseAnew(entry)) return this.#follow(entry, undefined)
      this.#flows.forget(entry.connection)
    }
    if (!this.#mayAsk() || frame.kind === 'error') return verdict('PASS_NOT_SERVICE', bytes)
    const frontend = this.#frontend()
    if (frontend) return this.#admit(frontend)
    const whole = this.#world.frontend(this.#tuple.dst, 0, 0)
    if (whole) return this.#unclaimed(whole)
    if (this.#world.holdsServiceCidr(this.#tuple.dst)) return verdict('DROP_SERVICE_CIDR', bytes)
    return this.#collidesDirectly() ? this.#direct() : verdict('PASS_NOT_SERVICE', bytes)
  }

  get #fromHost(): boolean {
    return this.#packet.passage.hook === 'tc_net_out'
  }

  #mayAsk(): boolean {
    const { hook, ownPacket } = this.#packet.passage
    return hook !== 'tc_pod_out' && (hook !== 'tc_net_out' || ownPacket)
  }

  #fragmentKey(): string {
    const { src, dst, protocol } = this.#packet.frame.tuple
    return `${this.#side} ${protocol} ${src} ${dst} ${this.#packet.frame.fragmentId}`
  }

  #frontend(): WorldFrontend | undefined {
    const { kind, fragment } = this.#packet.frame
    if (kind !== 'transport' || fragment === 'later') return undefined
    return this.#world.frontend(this.#tuple.dst, this.#tuple.dport, this.#tuple.protocol)
  }

  /** What runs stays with its backend; what starts needs one that serves, and an entry that is not a dead one's. */
  #mustChooseAnew({ connection, reply }: Entry): boolean {
    if (reply || this.#packet.frame.kind !== 'transport' || !this.#packet.frame.life.starts) return false
    if (this.#tuple.protocol !== UDP && isClosed(connection)) return true
    return connection.backend !== 0 && !this.#world.backend(connection.backend).serving
  }

  /** A packet of a connection that the node knows. */
  #follow(entry: Entry, fresh: 'FORWARD_NEW' | undefined): Judgement {
    const { frame, bytes } = this.#packet
    const { connection } = entry
    const about = { service: connection.service, backend: connection.backend }
    const toHost = connection.host && entry.reply
    const routed = connection.redirected && !connection.host
    if (routed && frame.ttl <= 1) return this.#answer('REJECT_TTL', timeExceededOf(bytes, frame), about)
    if (frame.kind !== 'error') this.#track(entry)
    if (frame.fragment === 'first')
      this.#fragments.set(this.#fragmentKey(), { sport: this.#tuple.sport, dport: this.#tuple.dport })
    if (frame.protocol === SCTP && frame.fragment !== 'later' && frame.l4 + 12 > bytes.length)
      return verdict('DROP_MALFORMED', bytes, unsaid)
    const keepsSource = entry.after.src === entry.before.src
    const rewritten =
      frame.kind === 'error'
        ? rewriteError(bytes, frame, entry.after, routed, keepsSource)
        : rewritePacket(bytes, frame, entry.after, routed)
    // A fragment does not tell the length that SCTP's checksum covers.
    if (frame.fragment === 'first' && frame.protocol === SCTP && changesPorts(entry))
      return verdict('DROP_UNSUPPORTED', bytes, unsaid)
    const leaves = connection.redirected && !toHost
    if (leaves) rewritten.bytes.set(macBytes(entry.macs.join('')), 0)
    const reason =
      frame.kind === 'error' ? 'FORWARD_ICMP_ERROR' : entry.reply ? 'FORWARD_REPLY' : (fresh ?? 'FORWARD_FLOW')
    const action = leaves ? (this.#packet.passage.hook === 'xdp_net' ? 'back' : 'redirect') : 'pass'
    return { reason, action, ...about, ...rewritten, packet: rewritten.bytes }
  }

  #track({ connection, reply }: Entry): void {
    const { breaks, ends } = this.#packet.frame.life
    if (breaks) connection.reset = true
    else if (ends && reply) connection.backendFin = true
    else if (ends) connection.clientFin = true
  }

  /** A packet to a frontend that begins something. */
  #admit(frontend: WorldFrontend): Judgement {
    const { bytes, frame } = this.#packet
    const about = { service: frontend.service, backend: 0 }
    // The middle of a connection may be another proxy's, which only tc can find out.
    const middle = this.#tuple.protocol === TCP && !frame.life.starts
    if (middle && this.#knobs.asksConntrack && this.#packet.passage.hook === 'xdp_net')
      return verdict('PASS_LATER_HOOK', bytes)
    if (frontend.loopback && !this.#fromHost) return verdict('PASS_NOT_SERVICE', bytes, about)
    if (frontend.guarded && !this.#world.allows(frontend.service, this.#tuple.src))
      return verdict('DROP_SOURCE_RANGE', bytes, about)
    if (frame.life.breaks) return verdict('DROP_NO_FLOW', bytes, about)
    const set = frontend.scoped && !this.#clientIsInternal() ? frontend.external : frontend.internal
    if (set.table.length === 0) {
      if (set.empty === 'drop') return verdict('DROP_NO_LOCAL_ENDPOINT', bytes, about)
      return this.#answer('REJECT_NO_ENDPOINT', refusalOf(bytes, frame), about)
    }
    const id = this.#choose(frontend, set)
    return this.#connect(frontend, this.#world.backend(id), { service: frontend.service, backend: id })
  }

  /** A packet to a VIP on a port that no Service claims, or without ports. */
  #unclaimed(whole: WorldFrontend): Judgement {
    const { bytes, frame } = this.#packet
    const about = { service: whole.service, backend: 0 }
    if (frame.kind === 'ping') {
      if (whole.answersPing && frame.fragment === 'none') {
        const { bytes: packet, checksums } = rewritePing(bytes, frame)
        return { ...this.#answer('ANSWER_PING', packet, about), checksums }
      }
      return verdict(whole.refusesUnknown ? 'DROP_PING' : 'PASS_NOT_SERVICE', bytes, about)
    }
    if (!whole.refusesUnknown) return verdict('PASS_NOT_SERVICE', bytes, about)
    if (frame.fragment === 'later') return verdict('DROP_NO_FIRST_FRAGMENT', bytes, about)
    if (frame.kind !== 'transport') return verdict('DROP_UNSUPPORTED', bytes, about)
    if (frame.life.breaks) return verdict('DROP_NO_FLOW', bytes, about)
    return this.#answer('REJECT_UNKNOWN_PORT', refusalOf(bytes, frame), about)
  }

  #clientIsInternal(): boolean {
    if (this.#fromHost) return true
    if (this.#knobs.detectByDevice) return this.#world.deviceIsInCluster(this.#packet.passage.ifindex)
    return this.#knobs.inCluster.some(({ addr, mask }) => inCidr(this.#tuple.src, addr, mask))
  }

  #choose(frontend: WorldFrontend, set: WorldSet): number {
    const { seed } = this.#knobs
    const { affinity } = frontend
    const slot = (hash: number) => set.table[slotOf(hash, set.table.length)]!
    if (!affinity) return slot(tupleHash(seed, this.#tuple))
    const key = `${affinity.id} ${this.#tuple.src}`
    const remembered = this.#affinities.get(key)
    const member = remembered === undefined ? undefined : this.#world.member(set.id, remembered)
    if (member !== undefined) return member
    const id = slot(clientHash(seed, this.#tuple.src, affinity.id))
    this.#affinities.set(key, this.#world.backend(id).address)
    return id
  }

  #mustMasquerade(frontend: WorldFrontend, backend: WorldBackend): boolean {
    if (this.#fromHost) return false
    if (this.#tuple.src === backend.address) return true
    if (this.#knobs.masqueradeAll && (frontend.clusterIp || !frontend.scoped)) return true
    return this.#packet.passage.hook !== 'tc_pod_in' && !backend.local
  }

  #connect(
    frontend: WorldFrontend,
    backend: WorldBackend,
    about: { readonly service: number; readonly backend: number },
  ): Judgement {
    const { bytes, passage, frame } = this.#packet
    const { life } = frame
    const { src, dst, sport, dport, protocol } = this.#tuple
    const host = this.#fromHost
    const redirected = host || this.#mustMasquerade(frontend, backend)
    if (!redirected && passage.hook === 'xdp_net' && this.#knobs.asksConntrack && life.starts)
      return verdict('PASS_LATER_HOOK', bytes, about)
    const node = frame.v6 ? this.#knobs.nodeAddress6 : this.#knobs.nodeAddress4
    const source = redirected ? node : src
    const replySide: Side = redirected ? 'ingress' : 'egress'
    const replyTo = (port: number): Tuple => ({
      ...{ src: backend.address, sport: backend.port, dst: source, dport: port },
      protocol,
    })
    const isFree = (port: number) => {
      const other = this.#flows.find(replyTo(port), replySide)
      // The same client asking the same frontend, by another hook: one connection as far as anyone can tell.
      return !other || isClosed(other.connection) || isAnswerTo(other.after, this.#tuple)
    }
    const port = this.#port(redirected, isFree)
    if (port === undefined) return verdict('DROP_NO_SNAT_PORT', bytes, about)
    const connection: Connection = {
      ...about,
      ...{ host, redirected, affinityId: frontend.affinity?.id },
      ...{ clientFin: life.ends && !life.breaks, backendFin: false, reset: life.breaks },
    }
    const request: Entry = {
      ...{ connection, reply: false, before: this.#tuple, side: this.#side },
      after: { src: source, sport: port, dst: backend.address, dport: backend.port, protocol },
      // A synthetic route has no MACs.
      macs: ['\0\0\0\0\0\0', '\0\0\0\0\0\0'],
    }
    const mac = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 6))
    this.#flows.add({
      ...{ connection, reply: true, before: replyTo(port), side: replySide },
      after: { src: dst, sport: dport, dst: src, dport: sport, protocol },
      macs: [mac(6), mac(0)],
    })
    this.#flows.add(request)
    return this.#follow(request, 'FORWARD_NEW')
  }

  /** The client's port from now on; undefined: none can be had. */
  #port(redirected: boolean, isFree: (port: number) => boolean): number | undefined {
    const { sport } = this.#tuple
    // Port 0 is nobody's (RFC 768): it is replaced by one that can be answered.
    if (!redirected && sport !== 0 && isFree(sport)) return sport
    const { min, max } = redirected ? { min: this.#knobs.snatPortMin, max: this.#knobs.snatPortMax } : FREE_PORTS
    const chosen = this.#packet.chosenPort
    if (chosen === undefined) {
      let taken = 0
      for (let port = min; port <= max && taken < TRIES; port++) if (!isFree(port)) taken++
      return taken >= Math.min(TRIES, max - min + 1) ? undefined : min
    }
    if (chosen < min || chosen > max) throw new Error(`Port ${chosen} is not between ${min} and ${max}`)
    if (!isFree(chosen)) throw new Error(`Port ${chosen} is another connection's`)
    return chosen
  }

  /** Without a VIP, to a backend that the same client reaches through one from the same port. */
  #collidesDirectly(): boolean {
    const { kind } = this.#packet.frame
    if (this.#side === 'egress' || kind !== 'transport' || !this.#portsKnown || !this.#packet.frame.life.starts)
      return false
    const { src, dst, sport, dport, protocol } = this.#tuple
    const entry = this.#flows.find({ src: dst, sport: dport, dst: src, dport: sport, protocol }, 'egress')
    return entry?.reply === true && !isClosed(entry.connection)
  }

  #direct(): Judgement {
    const { dst, dport } = this.#tuple
    const none: WorldSet = { table: [], id: 0, empty: 'reject' }
    const nobody: WorldFrontend = {
      ...{ service: 0, clusterIp: false, guarded: false, loopback: false, scoped: true, refusesUnknown: false },
      ...{ answersPing: false, affinity: undefined, internal: none, external: none },
    }
    const backend = { address: dst, port: dport, local: true, serving: true }
    return this.#connect(nobody, backend, { service: 0, backend: 0 })
  }

  /** @param packet Undefined: the answer cannot be built. */
  #answer(reason: Reason, packet: Uint8Array | undefined, about: About): Judgement {
    if (packet === undefined || !isUnicast(this.#tuple.src))
      return verdict('DROP_REPLY_FAILED', this.#packet.bytes, about)
    const { hook, ifindex } = this.#packet.passage
    // On loopback what the node sends itself comes in as it is.
    const loops = hook === 'tc_net_out' && ifindex === LOOPBACK_IFINDEX
    const action = loops ? 'pass' : hook === 'xdp_net' ? 'back' : 'redirect'
    return { reason, action, packet, checksums: [], ...about }
  }
}

type About = Pick<Judgement, 'service' | 'backend'>
const unsaid: About = { service: undefined, backend: undefined }

function verdict(reason: Reason, bytes: Uint8Array, about: About = { service: 0, backend: 0 }): Judgement {
  if (reason.startsWith('PASS_')) return { reason, action: 'pass', packet: bytes, checksums: [], ...about }
  return { reason, action: 'drop', packet: undefined, checksums: [], ...about }
}

function changesPorts({ before, after }: Entry): boolean {
  return before.sport !== after.sport || before.dport !== after.dport
}

function isAnswerTo(answer: Tuple, tuple: Tuple): boolean {
  return (
    answer.src === tuple.dst && answer.sport === tuple.dport && answer.dst === tuple.src && answer.dport === tuple.sport
  )
}

function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac, (character) => character.charCodeAt(0))
}
