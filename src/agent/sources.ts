// SPDX-License-Identifier: Apache-2.0
/** Where the agent's objects come from: a folder of manifests, or an API server. */

import type { Config } from '../config/config.ts'
import type { InformerStatus } from '../source/kubernetes/informer.ts'
import { watchKubernetes } from '../source/kubernetes/watch-kubernetes.ts'
import { watchManifests } from '../source/manifests.ts'
import type { Source } from './agent.ts'
import type { Log } from './log.ts'

export function manifestSource(folder: string, config: Config): Source {
  return (signal, publish) =>
    watchManifests(folder, {
      signal,
      onChange: publish,
      ...(config.serviceCidrs.length > 0 ? { serviceCidrs: config.serviceCidrs } : {}),
      nodePortRange: config.nodePortRange,
    })
}

/** Rejects with KubeAccessError when nothing says where the API server is; a server that is not there is waited for. */
export function kubernetesSource({ kubeconfig, master, nodeName }: Config, log: Log): Source {
  return (signal, publish) =>
    watchKubernetes({
      kubeconfig,
      ...(master === '' ? {} : { master }),
      nodeName,
      signal,
      onChange: publish,
      onStatus: statusLog(log),
    })
}

/** Says what an operator would act on, or was waiting for: not each LIST and WATCH that works. */
function statusLog(log: Log): (status: InformerStatus) => void {
  const said = new Map<string, InformerStatus['phase']>()
  return ({ kind, phase, objects, failures, error }) => {
    if (phase === 'listing') return
    const before = said.get(kind)
    said.set(kind, phase)
    if (phase === 'waiting') log('warn', 'cannot follow the API server', { kind, failures, reason: error?.message })
    else if (phase === before) return
    else if (phase === 'absent') log('info', 'not offered by the API server', { kind, reason: error?.message })
    else
      log('info', before === 'waiting' ? 'follows the API server again' : 'follows the API server', { kind, objects })
  }
}
