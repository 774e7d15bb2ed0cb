// SPDX-License-Identifier: Apache-2.0
/** Resource versions: whole numbers that grow with every write of the same resource (KEP-5504), opaque before it said so. */

const NUMBER = /^(0|[1-9]\d*)$/

/** Whether `a` is older than `b`; false where that cannot be known. */
export function isOlder(a: string, b: string): boolean {
  if (!NUMBER.test(a) || !NUMBER.test(b)) return false
  return a.length === b.length ? a < b : a.length < b.length
}
