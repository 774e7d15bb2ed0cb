// SPDX-License-Identifier: Apache-2.0
/** Objects as people write them, and what a kubelet would say of a Pod. */
import type { KubeClient, KubeObject } from '../../src/kube-test/kube-client.ts'

let namespaces = 0

/** A namespace that no other test uses. @returns its name. */
export async function newNamespace(client: KubeClient): Promise<string> {
  const name = `test-${++namespaces}`
  await client.create('/api/v1/namespaces', { metadata: { name } })
  return name
}

export function service(name: string, spec: object = {}, labels: object = {}): object {
  return {
    metadata: { name, labels },
    spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
  }
}

export function slice(name: string, serviceName: string, addresses: readonly string[]): object {
  return {
    metadata: { name, labels: { 'kubernetes.io/service-name': serviceName } },
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
  }
}

/** node-a and node-b, unless they are there. A Pod whose Node does not exist gets no endpoint. */
export async function addNodes(client: KubeClient): Promise<void> {
  const { items } = await client.get('/api/v1/nodes')
  if (items.length > 0) return
  for (const name of ['node-a', 'node-b']) await client.create('/api/v1/nodes', { metadata: { name } })
}

/** A Pod that runs on node-a and is ready. */
export async function runPod(client: KubeClient, namespace: string, app: string, podIP: string): Promise<KubeObject> {
  const path = `/api/v1/namespaces/${namespace}/pods`
  const name = `${app}-${podIP.replaceAll(/[.:]/g, '-')}`
  await client.create(path, {
    metadata: { name, labels: { app } },
    spec: { nodeName: 'node-a', terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image: 'none' }] },
  })
  return client.patch(`${path}/${name}/status`, {
    status: {
      phase: 'Running',
      podIP,
      podIPs: [{ ip: podIP }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  })
}
