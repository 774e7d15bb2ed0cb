// SPDX-License-Identifier: Apache-2.0
/** Compares whole frames: what a test expects byte for byte, shown as headers where it differs. */

import assert from 'node:assert/strict'
import type { Packet } from './packet.ts'
import { readPacket } from './read-packet.ts'

export function assertFrame(actual: Uint8Array, expected: Packet | Uint8Array, message?: string): void {
  const wanted = expected instanceof Uint8Array ? expected : expected.bytes()
  assert.deepEqual(readPacket(actual), readPacket(wanted), message)
  assert.deepEqual(Buffer.from(actual).toString('hex'), Buffer.from(wanted).toString('hex'), message)
  assertSound(actual, message)
}

/** Every checksum and length in the frame holds. */
export function assertSound(frame: Uint8Array, message?: string): void {
  assert.deepEqual(readPacket(frame).faults, [], message)
}

export function assertUntouched(actual: Uint8Array, sent: Packet | Uint8Array, message?: string): void {
  const bytes = sent instanceof Uint8Array ? sent : sent.bytes()
  assert.deepEqual(Buffer.from(actual).toString('hex'), Buffer.from(bytes).toString('hex'), message)
}
