// SPDX-License-Identifier: Apache-2.0
/** DNS messages in a TCP stream: each behind two bytes with its length (RFC 1035, 4.2.2; RFC 7766). */

const LENGTH_BYTES = 2

/** The messages of a stream, as they become whole. A stream that ends inside a message ends before it. */
export async function* readMessages(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + rest.readUInt16BE(0)
      if (rest.length < end) break
      yield rest.subarray(LENGTH_BYTES, end)
      rest = rest.subarray(end)
    }
  }
}

/** A message with its length in front, in one piece: some resolvers read no further than the first segment. */
export function frameMessage(message: Buffer): Buffer {
  const framed = Buffer.alloc(LENGTH_BYTES + message.length)
  framed.writeUInt16BE(message.length, 0)
  message.copy(framed, LENGTH_BYTES)
  return framed
}
