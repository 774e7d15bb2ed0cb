// SPDX-License-Identifier: Apache-2.0
/** Packets as they come to a node: clients', backends' and routers', whole, in pieces, damaged, and made of noise. */

import { formatAddress } from '../../src/abi/address.ts'
import { type Frame, readFrame } from '../../src/reference/read-frame.ts'
import { fragments } from '../bpf/support/fragments.ts'
import { concat, ethernetBytes, nodeMac, type Packet, packet, senderMac } from '../bpf/support/packet.ts'
import { ETHERNET_BYTES, EtherType, Protocol } from '../bpf/support/packet-format.ts'
import { nodeIp4, nodeIp6, type PacketProgram, packetPrograms } from '../bpf/support/test-node.ts'
import type { Random } from './random.ts'

export interface Arrival {
  readonly program: PacketProgram
  readonly frame: Uint8Array
  /** tc_net_out: by the node itself. */
  readonly ownPacket: boolean
}

/** Where packets may go, and from where they come. */
export interface Places {
  readonly clients: readonly string[]
  readonly destinations: readonly string[]
  readonly ports: readonly number[]
}

const nodeAddresses = new Set([nodeIp4, nodeIp6, '127.0.0.1'])
/** Mostly those that requests and replies come by. */
const hooks: readonly PacketProgram[] = [...packetPrograms, 'xdp_net', 'xdp_net', 'tc_net_in', 'tc_pod_in', 'tc_pod_in']
const clientPorts = [0, 53, 2000, 9090, 29_999, 30_000, 40_000, 40_001, 65_535]
const flagsOfTcp = ['S', 'S', 'S', 'A', 'A', 'PA', 'FA', 'F', 'R', 'RA', 'SA', '', 'SF', 'SR', 'FR']
const chunks = [1, 1, 0, 0, 3, 6, 14]
const ttls = [64, 64, 64, 64, 64, 255, 2, 1, 0]
const REMEMBERED = 48

export class Traffic {
  readonly #random: Random
  readonly #places: Places
  /** What left the node lately: somebody answers it. */
  readonly #left: Uint8Array[] = []
  #pending: Arrival[] = []

  constructor(random: Random, places: Places) {
    this.#random = random
    this.#places = places
  }

  next(): Arrival {
    const queued = this.#pending.pop()
    if (queued) return queued
    const frame = this.#random.chance(0.12) ? this.#damaged(this.#wellFormed()) : this.#wellFormed()
    return this.#arrive(frame)
  }

  /** Shows what a hook let through. */
  learn(frame: Uint8Array): void {
    if (this.#left.length < REMEMBERED) this.#left.push(frame)
    else this.#left[this.#random.below(REMEMBERED)] = frame
  }

  #wellFormed(): Uint8Array {
    const dice = this.#random.below(100)
    if (dice < 40 || this.#left.length === 0) return this.#request().bytes()
    if (dice < 65) return this.#reply() ?? this.#request().bytes()
    if (dice < 78) return this.#error() ?? this.#request().bytes()
    if (dice < 86) return this.#pieces()
    if (dice < 94) return this.#portless().bytes()
    if (dice < 98) return this.#stranger().bytes()
    return this.#noise()
  }

  /** What the node sends itself comes by tc_net_out, and nothing else does: no tuple begins on both sides. */
  #arrive(frame: Uint8Array): Arrival {
    if (!fits(frame)) return { program: 'xdp_net', frame, ownPacket: false }
    const read = readFrame(frame)
    const ownPacket = typeof read !== 'string' && nodeAddresses.has(this.#ends(read).src)
    return { program: ownPacket ? 'tc_net_out' : this.#random.pick(hooks), frame, ownPacket }
  }

  #pair(): { readonly src: string; readonly dst: string } {
    const dst = this.#random.pick(this.#places.destinations)
    const family = (address: string) => address.includes(':')
    const src = this.#random.pick(this.#places.clients.filter((client) => family(client) === family(dst)))
    return { src, dst }
  }

  #base(src: string, dst: string): Packet {
    const random = this.#random
    let base = packet(src, dst)
      .ttl(random.pick(ttls))
      .payload(random.chance(0.1) ? 1400 : random.below(40))
    if (!random.chance(0.05)) return base
    if (!src.includes(':')) return base.options(random.bytes(4 * random.between(1, 10)))
    for (let headers = random.between(1, 5); headers > 0; headers--) {
      const kind = random.pick([Protocol.HOPOPTS, Protocol.ROUTING, Protocol.DSTOPTS])
      base = base.extension(kind, random.bytes(8 * random.pick([1, 1, 2, 8, 32]) - 2))
    }
    return base
  }

  #transport(base: Packet, sport: number, dport: number): Packet {
    const random = this.#random
    const dice = random.below(20)
    if (dice < 11) {
      const more = { flags: random.pick(flagsOfTcp), seq: random.word(), ack: random.word() }
      return base.tcp(sport, dport, { ...more, options: random.chance(0.2) ? random.bytes(12) : new Uint8Array() })
    }
    return dice < 18
      ? base.udp(sport, dport, { checksum: !random.chance(0.1) })
      : base.sctp(sport, dport).chunk(random.pick(chunks), random.below(30))
  }

  #request(): Packet {
    const { src, dst } = this.#pair()
    return this.#transport(this.#base(src, dst), this.#random.pick(clientPorts), this.#random.pick(this.#places.ports))
  }

  #stranger(): Packet {
    const v6 = this.#random.chance(0.5)
    const address = () =>
      formatAddress(
        v6 ? concat(Uint8Array.of(0x20, 0x01), this.#random.bytes(14)) : concat(mappedPrefix, this.#random.bytes(4)),
      )
    return this.#transport(this.#base(address(), address()), this.#random.below(65536), this.#random.below(65536))
  }

  #portless(): Packet {
    const { src, dst } = this.#pair()
    const base = this.#base(src, dst)
    const random = this.#random
    if (random.chance(0.2)) return base.raw(random.pick([Protocol.GRE, Protocol.ESP, Protocol.NONE, 89, 103]))
    const v6 = src.includes(':')
    const echo = v6 ? [128, 129] : [8, 0]
    return base.icmp(random.chance(0.7) ? random.pick(echo) : random.below(256), 0, random.word())
  }

  /** What the receiver of a frame would answer. */
  #reply(): Uint8Array | undefined {
    const left = this.#random.pick(this.#left)
    const frame = readFrame(left)
    if (typeof frame === 'string' || frame.kind !== 'transport' || frame.fragment !== 'none') return undefined
    const { sport, dport, protocol } = frame.tuple
    const { src, dst } = this.#ends(frame)
    const base = this.#base(dst, src)
    const random = this.#random
    if (protocol === Protocol.SCTP) return base.sctp(dport, sport).chunk(random.pick(chunks)).bytes()
    if (protocol === Protocol.UDP) return base.udp(dport, sport).bytes()
    return base.tcp(dport, sport, { flags: random.pick(flagsOfTcp), seq: random.word(), ack: random.word() }).bytes()
  }

  /** An ICMP error about a frame, by its receiver or a router. */
  #error(): Uint8Array | undefined {
    const random = this.#random
    const left = random.pick(this.#left)
    const frame = readFrame(left)
    if (typeof frame === 'string') return undefined
    const { src, dst } = this.#ends(frame)
    const by = random.chance(0.5)
      ? dst
      : random.pick(this.#places.clients.filter((client) => client.includes(':') === frame.v6))
    const type = frame.v6 ? random.pick([1, 2, 3, 4]) : random.pick([3, 3, 11, 12, 4])
    const whole = left.length - ETHERNET_BYTES
    const length = random.chance(0.3) ? random.below(whole + 1) : Math.min(whole, random.pick([28, 48, 60, 576]))
    return this.#base(by, src).icmp(type, random.below(5), random.below(1500)).quote(left, length).bytes()
  }

  #ends({ tuple, kind }: Frame): { readonly src: string; readonly dst: string } {
    const text = (address: string) => formatAddress(Uint8Array.from(address, (byte) => byte.charCodeAt(0)))
    // An error's tuple is turned round already.
    return kind === 'error'
      ? { src: text(tuple.dst), dst: text(tuple.src) }
      : { src: text(tuple.src), dst: text(tuple.dst) }
  }

  /** The first of a packet's fragments; the others come next, in any order, and not always all. */
  #pieces(): Uint8Array {
    const random = this.#random
    const { src, dst } = this.#pair()
    const whole = this.#transport(packet(src, dst).df(false), random.pick(clientPorts), random.pick(this.#places.ports))
    const parts = fragments(whole.payload(random.between(64, 400)).bytes(), 8 * random.between(3, 16), random.below(8))
    const ordered = random.chance(0.7) ? parts.reverse() : random.shuffled(parts)
    this.#pending = random.some(ordered, 0.9).map((part) => this.#arrive(part))
    // They take one way, mostly.
    const { program } = this.#arrive(parts[0]!)
    if (random.chance(0.7)) this.#pending = this.#pending.map((arrival) => ({ ...arrival, program }))
    return this.#request().bytes()
  }

  #noise(): Uint8Array {
    const random = this.#random
    const type = random.pick([EtherType.IPV4, EtherType.IPV6, EtherType.ARP, random.below(65536)])
    const macs = { dst: nodeMac, src: senderMac }
    const noise = random.bytes(random.below(150))
    // Often enough with a version that is read on.
    if (noise[0] !== undefined && random.chance(0.7)) noise[0] = type === EtherType.IPV6 ? 0x60 : 0x45
    return concat(ethernetBytes(macs, type), noise)
  }

  #damaged(frame: Uint8Array): Uint8Array {
    const random = this.#random
    let bytes = Uint8Array.from(frame)
    for (let wounds = random.between(1, 3); wounds > 0; wounds--) {
      const at = random.below(Math.min(bytes.length, 100))
      switch (random.below(6)) {
        case 0:
          bytes[at] = (bytes[at] as number) ^ (1 << random.below(8))
          break
        case 1:
          bytes[at] = random.below(256)
          break
        case 2:
          bytes = bytes.slice(0, Math.max(ETHERNET_BYTES, random.below(bytes.length + 1)))
          break
        case 3:
          bytes = Uint8Array.from(concat(bytes, random.bytes(random.below(60))))
          break
        case 4:
          // An IPv6 packet that claims an address of IPv4.
          if (bytes.length >= ETHERNET_BYTES + 40 && bytes[ETHERNET_BYTES]! >>> 4 === 6)
            bytes.set(mappedPrefix, ETHERNET_BYTES + random.pick([8, 24]))
          break
        default:
          // Interesting values in what may be a length or an offset.
          bytes[Math.max(ETHERNET_BYTES, at)] = random.pick([0, 1, 5, 0x0f, 0x45, 0x4f, 0x60, 0x7f, 0x80, 0xff])
      }
    }
    return bytes
  }
}

const mappedPrefix = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)

/** BPF_PROG_TEST_RUN makes no socket buffer of less than an IP header. */
function fits(frame: Uint8Array): boolean {
  const type = new DataView(frame.buffer, frame.byteOffset).getUint16(12)
  if (type === EtherType.IPV4) return frame.length >= ETHERNET_BYTES + 20
  return type !== EtherType.IPV6 || frame.length >= ETHERNET_BYTES + 40
}
