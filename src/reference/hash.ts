// SPDX-License-Identifier: Apache-2.0
/**
 * Which slot of a table a packet takes: MurmurHash3_x86_32 over the tuple's words as they lie in memory, scaled to the
 * table's length by multiply-shift. Every node of a cluster comes to the same.
 */

const C1 = 0xcc9e2d51
const C2 = 0x1b873593

class Murmur {
  #state: number
  constructor(seed: number) {
    this.#state = seed | 0
  }

  word(word: number): this {
    const mixed = Math.imul(rotate(Math.imul(word, C1), 15), C2)
    this.#state = (Math.imul(rotate(this.#state ^ mixed, 13), 5) + 0xe6546b64) | 0
    return this
  }

  /** @param address 16 bytes, one a character. */
  address(address: string): this {
    for (let at = 0; at < 16; at += 4) {
      const byte = (index: number) => address.charCodeAt(at + index)
      this.word(byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24))
    }
    return this
  }

  /** The finalizer, without the input's length. */
  end(): number {
    let h = this.#state
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    return (h ^ (h >>> 16)) >>> 0
  }
}

export interface HashedTuple {
  readonly src: string
  readonly dst: string
  readonly sport: number
  readonly dport: number
  readonly protocol: number
}

/** A tuple's hash; 32 bits. */
export function tupleHash(seed: number, tuple: HashedTuple): number {
  const { src, dst, sport, dport, protocol } = tuple
  // Ports count as they stand in memory, in network order.
  const ports = swap16(sport) | (swap16(dport) << 16)
  return new Murmur(seed).address(src).address(dst).word(ports).word(protocol).end()
}

/** The hash of a client with affinity: whatever its port, and whichever frontend of the Service it asks. */
export function clientHash(seed: number, client: string, affinityId: bigint): number {
  const low = Number(BigInt.asUintN(32, affinityId))
  return new Murmur(seed)
    .address(client)
    .word(low)
    .word(Number(affinityId >> 32n))
    .end()
}

/** 0…slots−1. */
export function slotOf(hash: number, slots: number): number {
  return Number((BigInt(hash) * BigInt(slots)) >> 32n)
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}

function swap16(port: number): number {
  return ((port & 0xff) << 8) | (port >>> 8)
}
