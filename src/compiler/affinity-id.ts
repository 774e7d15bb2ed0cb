// SPDX-License-Identifier: Apache-2.0
/** The number by which the programs know a Service when they remember a client's backend. */

import { bytesHash } from './hash.ts'

const encoder = new TextEncoder()

/**
 * A 64-bit hash of `namespace/name`, never 0. It depends on nothing else, so that clients keep their backend when the
 * agent restarts and when the Service is deleted and made again within the affinity's time.
 */
export function affinityId(namespace: string, name: string): bigint {
  const bytes = encoder.encode(`${namespace}/${name}`)
  const id = (BigInt(bytesHash(bytes, 0x6d61676c)) << 32n) | BigInt(bytesHash(bytes, 0x616e6500))
  return id === 0n ? 1n : id
}
