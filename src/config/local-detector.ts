// SPDX-License-Identifier: Apache-2.0
/** How this node tells a pod of the cluster from an outsider: by address or by the device a packet comes in on. */
import type { Node } from '../model/types.ts'
import type { Config } from './config.ts'

export type LocalDetector =
  | { readonly kind: 'none' }
  | { readonly kind: 'cidrs'; readonly cidrs: readonly string[] }
  | { readonly kind: 'bridge'; readonly device: string }
  | { readonly kind: 'prefix'; readonly prefix: string }

/** @param node This node's object: mode NodeCIDR asks for its podCIDRs. */
export function localDetector(config: Config, node: Node | undefined): LocalDetector {
  switch (config.detectLocalMode) {
    case 'ClusterCIDR':
      return byCidrs(config.clusterCidrs)
    case 'NodeCIDR':
      return byCidrs(node?.spec.podCIDRs ?? [])
    case 'BridgeInterface':
      return { kind: 'bridge', device: config.bridgeInterface }
    case 'InterfaceNamePrefix':
      return { kind: 'prefix', prefix: config.interfaceNamePrefix }
  }
}

function byCidrs(cidrs: readonly string[]): LocalDetector {
  return cidrs.length > 0 ? { kind: 'cidrs', cidrs } : { kind: 'none' }
}
