// SPDX-License-Identifier: Apache-2.0
/** The programs' knobs, from the agent's configuration and what the node is. */

import { type Address, unspecifiedAddress } from '../abi/address.ts'
import { parseCidr } from '../abi/cidr.ts'
import { type Cidr, Limits, type Config as ProgramConfig, SocketLb } from '../abi/generated.ts'
import type { Config, PortRange } from '../config/config.ts'
import { ConfigError } from '../config/config.ts'
import type { LocalDetector } from '../config/local-detector.ts'
import type { KernelFeatures } from './kernel-features.ts'

const socketLb = { off: SocketLb.SOCKET_LB_OFF, host: SocketLb.SOCKET_LB_HOST, all: SocketLb.SOCKET_LB_ALL } as const

/** Ranges as the programs compare them. @throws ConfigError when there are more than they have room for */
export function programCidrs(what: string, texts: readonly string[]): readonly Cidr[] {
  if (texts.length > Limits.CIDR_MAX) {
    throw new ConfigError(what, `the programs have room for ${Limits.CIDR_MAX} ranges, got ${texts.length}`)
  }
  return texts.map((text) => {
    const { address, mask } = parseCidr(text)
    return { addr: address as Address, mask }
  })
}

export interface ProgramConfigInput {
  readonly config: Config
  readonly detector: LocalDetector
  readonly features: KernelFeatures
  readonly snatPorts: PortRange
  /** Cookie of the node's network namespace. */
  readonly hostNetns: bigint
}

/** Pure. */
export function programConfig({ config, detector, features, snatPorts, hostNetns }: ProgramConfigInput): ProgramConfig {
  const inCluster = detector.kind === 'cidrs' ? programCidrs('cluster CIDRs', detector.cidrs) : []
  return {
    seed: config.seed,
    snatPortMin: snatPorts.min,
    snatPortMax: snatPorts.max,
    hostNetns,
    socketLb: socketLb[config.socketLb],
    masqueradeAll: Number(config.masqueradeAll),
    haveFibSrc: Number(features.fibSource),
    haveSetRetval: Number(features.setRetval),
    synthetic: 0,
    trace: 0,
    haveConntrack: Number(features.conntrack),
    detectByDevice: Number(detector.kind === 'bridge' || detector.kind === 'prefix'),
    inClusterLen: inCluster.length,
    inCluster,
    syntheticSrc4: unspecifiedAddress,
    syntheticSrc6: unspecifiedAddress,
  }
}
