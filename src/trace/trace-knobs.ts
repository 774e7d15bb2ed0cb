// SPDX-License-Identifier: Apache-2.0
/** What the programs are told at load time when they only trace. */

import { parseAddress, unspecifiedAddress } from '../abi/address.ts'
import type { Cidr, Config as ProgramConfig } from '../abi/generated.ts'
import { kernelFeatures } from '../agent/kernel-features.ts'
import { programConfig } from '../agent/program-config.ts'
import type { Config } from '../config/config.ts'
import type { LocalDetector } from '../config/local-detector.ts'
import { familyOf } from '../model/ip.ts'

export type TraceProgram = 'xdp_net' | 'tc_net_in' | 'tc_net_out' | 'tc_pod_in'

export interface TraceKnobs {
  readonly config: Config
  readonly detector: LocalDetector
  /** Addresses of ServiceCIDRs that no Service holds are dropped. */
  readonly serviceCidrs: readonly Cidr[]
  /** The node's own address of each family, as far as it has one: what masquerading puts in the client's place. */
  readonly primaryAddresses: readonly string[]
  readonly programs: readonly TraceProgram[]
}

/** Any range outside of the ports that clients use: which port a masqueraded flow gets says nothing to anybody. */
const SNAT_PORTS = { min: 1024, max: 29_999 }

/** Neither routes nor connections of the machine that the trace runs on may count. */
export function traceProgramConfig({ config, detector, primaryAddresses }: TraceKnobs): Partial<ProgramConfig> {
  const own = (family: 'IPv4' | 'IPv6') => {
    const address = primaryAddresses.find((each) => familyOf(each) === family)
    return address === undefined ? unspecifiedAddress : parseAddress(address)
  }
  return {
    ...programConfig({
      config: { ...config, socketLb: 'off' },
      detector,
      features: kernelFeatures(),
      snatPorts: config.snatPortRange ?? SNAT_PORTS,
      hostNetns: 0n,
    }),
    synthetic: 1,
    haveConntrack: 0,
    trace: 1,
    syntheticSrc4: own('IPv4'),
    syntheticSrc6: own('IPv6'),
  }
}
