// SPDX-License-Identifier: Apache-2.0
/** Gives ClusterIPs to Services that ask for none, out of the cluster's ranges. */
import { formatAddress } from '../../abi/address.ts'
import { addressBytes, type Cidr, cidrContains, familyOf } from '../../model/ip.ts'
import type { IpFamily } from '../../model/types.ts'
import { NumberPool } from './number-pool.ts'

/** Addresses of a longer range than this are not handed out: 2^20 Services are enough. */
const MAX_POOL_BITS = 20

interface Range {
  readonly cidr: Cidr
  readonly pool: NumberPool
}

export class ClusterIPPool {
  readonly #ranges: readonly Range[]
  /** The cluster's families, that of the first range first. */
  readonly families: readonly IpFamily[]

  constructor(cidrs: readonly Cidr[]) {
    this.#ranges = cidrs.map((cidr) => ({ cidr, pool: openPool(cidr) }))
    this.families = [...new Set(cidrs.map((cidr) => cidr.family))]
  }

  /** Marks an address as used. An address outside of every range is somebody else's business. */
  take(address: string): void {
    for (const { cidr, pool } of this.#ranges) if (cidrContains(cidr, address)) pool.take(offsetOf(cidr, address))
  }

  /** Whether the address may be given to a Service that had it before. */
  retake(address: string): boolean {
    return this.#ranges.some(({ cidr, pool }) => cidrContains(cidr, address) && pool.take(offsetOf(cidr, address)))
  }

  /** undefined: no range of that family, or none free. */
  allocate(family: IpFamily, asker: string): string | undefined {
    for (const { cidr, pool } of this.#ranges) {
      if (cidr.family !== family) continue
      const offset = pool.allocate(`${asker} ${family}`)
      if (offset !== undefined) return addressAt(cidr, offset)
    }
    return undefined
  }
}

/** The first address is the network's, the second the API server's by custom, the last of IPv4 the broadcast address. */
function openPool(cidr: Cidr): NumberPool {
  const size = 2 ** Math.min(128 - cidr.bits, MAX_POOL_BITS)
  const pool = new NumberPool(size, Math.min(256, Math.max(16, Math.floor(size / 16))))
  pool.take(0)
  pool.take(1)
  if (cidr.family === 'IPv4') pool.take(size - 1)
  return pool
}

function offsetOf(cidr: Cidr, address: string): number {
  const bytes = addressBytes(address) ?? cidr.address
  return Number((toBigInt(bytes) - toBigInt(cidr.address)) & 0xffffffffn)
}

function addressAt(cidr: Cidr, offset: number): string {
  const hex = (toBigInt(cidr.address) + BigInt(offset)).toString(16).padStart(32, '0')
  const address = formatAddress(Buffer.from(hex, 'hex'))
  return familyOf(address) === cidr.family ? address : ''
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}
