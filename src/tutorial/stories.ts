// SPDX-License-Identifier: Apache-2.0
/** The stories of the tutorial, in their order. */

import { clusterIp } from './stories/cluster-ip.ts'
import { externalName } from './stories/external-name.ts'
import { headless } from './stories/headless.ts'
import { inTheKernel } from './stories/in-the-kernel.ts'
import { loadBalancer } from './stories/load-balancer.ts'
import { names } from './stories/names.ts'
import { nodePort } from './stories/node-port.ts'
import { ports } from './stories/ports.ts'
import { sessionAffinity } from './stories/session-affinity.ts'
import { withoutSelector } from './stories/without-selector.ts'
import type { Story } from './story.ts'

export const stories: readonly Story[] = [
  clusterIp,
  nodePort,
  loadBalancer,
  sessionAffinity,
  ports,
  withoutSelector,
  names,
  externalName,
  headless,
  inTheKernel,
]
