// SPDX-License-Identifier: Apache-2.0
/** The tour as people read it. */

import { formatPeer } from '../demo/answer.ts'
import type { Service } from '../model/types.ts'
import type { Lab } from './lab.ts'
import type { SteadyCalls } from './steady-calls.ts'
import type { TourCall, TourFrontend } from './tour.ts'

const kinds = {
  clusterIP: 'ClusterIP',
  nodePort: 'NodePort',
  externalIP: 'external IP',
  loadBalancerIP: 'load balancer IP',
} as const

/** Who is in the lab. */
export function labTitle(lab: Lab): string {
  const lines = [`Lab ${lab.name}, --cni ${lab.cni}: ${lab.nodes.length} nodes behind a fabric, a client outside.`]
  for (const node of lab.nodes) {
    lines.push(`  ${node.name}  ${node.addresses.ipv4}  ${node.addresses.ipv6}`)
    for (const [name, pod] of lab.pods.all) {
      if (pod.node === node.name)
        lines.push(`    ${name.padEnd(14)} ${pod.addresses.ipv4.padEnd(14)} ${pod.addresses.ipv6}`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** The line above a Service's frontends. */
export function serviceTitle(key: string, { spec, status }: Service): string {
  const pending = spec.type === 'LoadBalancer' && status.loadBalancer.ingress.length === 0
  const selector = Object.entries(spec.selector ?? {}).map(([name, value]) => `${name}=${value}`)
  const backends = selector.length === 0 ? 'endpoints written by hand' : `pods with ${selector.join(', ')}`
  return `\nService ${key}: ${spec.type}, ${backends}${pending ? ', external address <pending>' : ''}\n`
}

/** The line above a frontend's calls. */
export function frontendTitle(frontend: TourFrontend): string {
  const port = frontend.portName === '' ? '' : ` port ${frontend.portName}`
  return `  ${kinds[frontend.kind]} ${formatPeer(frontend)} ${frontend.proto.toUpperCase()}${port}\n`
}

/** `    outside → web-2 on node-b, which saw 172.18.0.11:40123 (not 198.51.100.10)`. */
export function callLine(call: TourCall): string {
  const from = `    ${call.from.padEnd(9)}`
  const { answer } = call
  if (answer === undefined) return `${from} ✗ ${call.error}\n`
  // A pod that answers for its node sees the node's address by nature; what matters is whether it is the caller's own.
  const hidden = answer.client.address === call.clientAddress ? '' : `, in place of ${call.clientAddress}`
  return `${from} → ${answer.pod} on ${answer.node}, which saw ${answer.client.address}${hidden}\n`
}

/** What happened to those who called while pods came and went. */
export function steadyLine(what: string, steady: SteadyCalls): string {
  const pods = Object.entries(steady.byPod)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([pod, calls]) => `${pod} ${calls}`)
  const errors = new Set(steady.failed.map(({ error }) => error))
  const failed =
    steady.failed.length === 0 ? 'none failed' : `${steady.failed.length} FAILED (${[...errors].join(', ')})`
  return `  ${what}: ${steady.calls} calls, ${failed}; answered by ${pods.join(', ')}\n`
}

/** How to look around in a lab that is kept. */
export function keptHelp(lab: Lab, example: TourFrontend | undefined): string {
  const [node] = lab.nodes
  const lines = [
    `The lab stays up. To look around:`,
    `  bin/maglane lab exec ${lab.name} outside -- ip address`,
    ...(example === undefined
      ? []
      : [
          `  bin/maglane lab exec ${lab.name} client-a -- curl -s http://${formatPeer(example)}/`,
          ...(lab.kubectl === undefined
            ? [`  bin/maglane lab exec ${lab.name} client-a -- getent hosts ${nameOf(example)}`]
            : []),
        ]),
    `  bin/maglane get services --instance ${node?.instance}`,
    `  bin/maglane monitor --instance ${node?.instance}`,
    ...(lab.kubectl === undefined
      ? [`  ls ${lab.manifests}    # the agents follow what is written there`]
      : [
          `  ${lab.kubectl} get pods,services,endpointslices -o wide`,
          `  ${lab.kubectl} scale deployment NAME --replicas=6    # and call again`,
        ]),
    `  tail -f ${lab.agents.logFile(node?.name ?? '')}`,
    `To take it down:`,
    `  bin/maglane lab down ${lab.name}`,
  ]
  return `${lines.join('\n')}\n`
}

function nameOf({ service }: TourFrontend): string {
  return service.split('/').reverse().join('.')
}
