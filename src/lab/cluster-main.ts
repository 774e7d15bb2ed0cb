// SPDX-License-Identifier: Apache-2.0
/**
 * The control plane of a lab as a program, run in a namespace of its own on the lab's fabric: `cluster-main.ts --lab NAME
 * --cni routed --node node-a --node node-b`. Prints `ready` when the API server serves and knows the nodes.
 */

import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { ControlPlane } from '../kube-test/control-plane.ts'
import { kubeTool } from '../kube-test/kube-assets.ts'
import { ApiServer } from '../source/kubernetes/api-server.ts'
import { KubeAccess } from '../source/kubernetes/kube-access.ts'
import { DEFAULT_TIMING } from '../source/kubernetes/timing.ts'
import { controlPlaneAddress } from './address-plan.ts'
import type { CniName } from './cni.ts'
import { enter } from './enter.ts'
import { followPods } from './follow-pods.ts'
import { agentKubeconfig, kubectlWrapper, labNames, placeOf } from './lab-names.ts'
import { NodeStandIn } from './node-stand-in.ts'
import { labNodes, nodeManifest } from './nodes.ts'
import { PodRunner } from './pod-runner.ts'
import { Scheduler } from './scheduler.ts'

const { values } = parseArgs({
  options: {
    lab: { type: 'string', default: '' },
    cni: { type: 'string', default: 'routed' },
    node: { type: 'string', multiple: true, default: [] },
  },
})

const names = await labNames(values.lab)
const nodes = labNodes(names, values.node)
const controlPlane = await ControlPlane.start({
  address: controlPlaneAddress.ipv4,
  port: 6443,
  folder: join(names.folder, 'kube'),
})
const { client, kubeconfig } = controlPlane

for (const node of nodes) {
  const object = nodeManifest(node)
  const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: new Date().toISOString() }
  await client.create('/api/v1/nodes', { ...object, status: { ...(object.status as object), conditions: [ready] } })
  // The API server marks every new node as not ready; what takes that away in a cluster is not run here.
  await client.patch(`/api/v1/nodes/${node.name}`, { spec: { taints: null } })
}

// As kube-proxy: RBAC lets the agents do what is in their role and nothing else.
renameSync(controlPlane.kubeconfigFor('agent', { commonName: 'system:kube-proxy' }), agentKubeconfig(names))
writeKubectl()

const runner = new PodRunner(values.cni as CniName, names, nodes)
const standIns = nodes.map((node) => new NodeStandIn({ node, nodes, names, runner, client }))
const scheduler = new Scheduler(
  client,
  nodes.map((node) => ({ name: node.name, labels: nodeManifest(node).metadata.labels ?? {} })),
)
const api = new ApiServer(new KubeAccess({ kubeconfig }), DEFAULT_TIMING)
process.stdout.write('ready\n')
const listeners = [scheduler, ...standIns]
await followPods(
  api,
  {
    onPod: (pod) => listeners.forEach((listener) => void listener.onPod(pod)),
    onPodGone: (pod) => listeners.forEach((listener) => void listener.onPodGone(pod)),
  },
  new AbortController().signal,
)

/** kubectl as the cluster's operator has it, for whoever is outside the lab's network. */
function writeKubectl(): void {
  const path = kubectlWrapper(names)
  const kubectl = enter(placeOf(names, 'control-plane'), [kubeTool('kubectl'), '--kubeconfig', kubeconfig])
  const quoted = kubectl.map((word) => `'${word.replaceAll("'", "'\\''")}'`)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `#!/bin/sh\nexec ${quoted.join(' ')} "$@"\n`)
  chmodSync(path, 0o755)
}
