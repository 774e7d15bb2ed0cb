// SPDX-License-Identifier: Apache-2.0
/** Protocol numbers of IP (IANA protocol-numbers), as the programs read them from packets. */

import type { Protocol } from '../model/types.ts'

export const ipProtocol: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 }

/** The name of a protocol number; the number itself where Services have none for it. */
export function protocolName(number: number): string {
  for (const [name, value] of Object.entries(ipProtocol)) if (value === number) return name
  return String(number)
}
