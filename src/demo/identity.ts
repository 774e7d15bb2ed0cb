// SPDX-License-Identifier: Apache-2.0
/** Who a demo server says it is. */

/** The names that a demo server puts into each answer. */
export interface DemoIdentity {
  readonly name: string
  readonly node: string
}
