// SPDX-License-Identifier: Apache-2.0
/** Reads a stream of JSON values, one a line, as a WATCH sends them. */

const NEWLINE = 0x0a

export class LineParser {
  readonly #onValue: (value: unknown) => void
  /** Bytes of a line that began in an earlier chunk. */
  #partial: Buffer[] = []

  constructor(onValue: (value: unknown) => void) {
    this.#onValue = onValue
  }

  /** Throws SyntaxError, after the values before it. */
  push(chunk: Buffer): void {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = Buffer.concat([...this.#partial, chunk.subarray(start, end)])
      this.#partial = []
      start = end + 1
      if (line.length > 0) this.#onValue(JSON.parse(line.toString()))
    }
    // A copy: the chunk is a view of more.
    if (start < chunk.length) this.#partial.push(Buffer.from(chunk.subarray(start)))
  }
}
