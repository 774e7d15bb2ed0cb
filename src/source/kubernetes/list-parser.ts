// SPDX-License-Identifier: Apache-2.0
/** Reads a Kubernetes list as it comes: one item at a time, so that no list is ever held whole. */

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const OPEN_BRACKET = 0x5b
const CLOSE_BRACE = 0x7d
const CLOSE_BRACKET = 0x5d
const ITEMS = Buffer.from('items')

/** Depths: 0 outside, 1 in the list object, 2 in its `items`, more in an item. */
export class ListParser {
  readonly #onItem: (item: unknown) => void
  /** All bytes that belong to no item: the list with empty `items`. */
  readonly #envelope: Buffer[] = []
  /** Bytes of an item that began in an earlier chunk. */
  #partial: Buffer[] = []
  /** The key or value that began last at depth 1. */
  #text: number[] = []
  #depth = 0
  #inString = false
  #escaped = false
  #inItems = false

  /** @param onItem Called with each item, parsed. */
  constructor(onItem: (item: unknown) => void) {
    this.#onItem = onItem
  }

  /** Throws SyntaxError when an item is not JSON. */
  push(chunk: Buffer): void {
    // Locals: this loop sees every byte of a large cluster.
    let [depth, inString, escaped, inItems] = [this.#depth, this.#inString, this.#escaped, this.#inItems]
    // Where the bytes begin that are not handed on yet.
    let start = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]
      if (inString) {
        if (escaped) escaped = false
        else if (byte === BACKSLASH) escaped = true
        else if (byte === QUOTE) inString = false
        else if (depth === 1 && this.#text.length <= ITEMS.length) this.#text.push(byte as number)
      } else if (byte === QUOTE) {
        inString = true
        if (depth === 1) this.#text = []
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (depth === 1 && byte === OPEN_BRACKET && ITEMS.equals(Buffer.from(this.#text))) {
          inItems = true
          this.#envelope.push(Buffer.from(chunk.subarray(start, at + 1)))
          start = at + 1
        } else if (depth === 2 && inItems) start = at
        depth++
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        depth--
        if (depth === 2 && inItems) {
          this.#emit(chunk.subarray(start, at + 1))
          start = at + 1
        } else if (depth === 1 && inItems) {
          inItems = false
          start = at
        }
      }
    }
    this.#depth = depth
    this.#inString = inString
    this.#escaped = escaped
    this.#inItems = inItems
    // Between items stand commas and blanks, which belong to nothing. What is kept is copied: the chunk is a view of more.
    if (inItems && depth > 2) this.#partial.push(Buffer.from(chunk.subarray(start)))
    else if (!inItems) this.#envelope.push(Buffer.from(chunk.subarray(start)))
  }

  /** The list without its items. Throws SyntaxError when the text ended early or is not JSON. */
  end(): unknown {
    return JSON.parse(Buffer.concat(this.#envelope).toString())
  }

  #emit(last: Buffer): void {
    const bytes = this.#partial.length === 0 ? last : Buffer.concat([...this.#partial, last])
    this.#partial = []
    this.#onItem(JSON.parse(bytes.toString()))
  }
}
