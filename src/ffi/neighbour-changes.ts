// SPDX-License-Identifier: Apache-2.0
/** Which messages about neighbours mean that frames must go elsewhere (rtnetlink(7), RTM_NEWNEIGH). */

const RTM_NEWNEIGH = 28
/** struct ndmsg: family, padding, ifindex, state, flags, type. */
const NDMSG_LENGTH = 12
const NDA_DST = 1
const NDA_LLADDR = 2
const NUD_FAILED = 0x20

/** More than a node's segments hold; then everything is forgotten, which costs one needless look-up a flow. */
const KNOWN_MAX = 65_536

/**
 * The kernel tells every step of a neighbour's life (stale, probed, reachable again), many a second in a large cluster.
 * Only another link-layer address, or none at all, makes a remembered next hop wrong.
 */
export class NeighbourChanges {
  readonly #known = new Map<string, string>()

  /**
   * @param type nlmsg_type
   * @param payload What follows the message's header: struct ndmsg and attributes.
   */
  matters(type: number, payload: Uint8Array): boolean {
    if (payload.length < NDMSG_LENGTH) return true
    // A deleted entry that comes back is compared with what it was.
    if (type !== RTM_NEWNEIGH) return false
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
    const state = view.getUint16(8, true)
    const key = `${view.getInt32(4, true)} ${attribute(payload, view, NDA_DST)}`
    const address = attribute(payload, view, NDA_LLADDR)
    if (state & NUD_FAILED) return this.#known.delete(key)
    if (address === '') return false
    const before = this.#known.get(key)
    if (this.#known.size >= KNOWN_MAX) this.#known.clear()
    this.#known.set(key, address)
    return before !== undefined && before !== address
  }
}

/** In hexadecimal; '' where the message has none. */
function attribute(payload: Uint8Array, view: DataView, wanted: number): string {
  for (let offset = NDMSG_LENGTH; offset + 4 <= payload.length; ) {
    const length = view.getUint16(offset, true)
    if (length < 4) return ''
    if (view.getUint16(offset + 2, true) === wanted)
      return Buffer.from(payload.subarray(offset + 4, offset + length)).toString('hex')
    offset += (length + 3) & ~3
  }
  return ''
}
