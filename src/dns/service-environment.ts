// SPDX-License-Identifier: Apache-2.0
/** Services as environment variables: what a kubelet gives to the containers that it starts (pkg/kubelet/envvars). */

import type { ObjectSet, Service } from '../model/types.ts'

/** Of the namespace `default`; Pods of every namespace get its variables. */
const API_SERVER = 'kubernetes'

/** The variables of a Pod in the namespace, by Service. Services without a ClusterIP have none. */
export function serviceEnvironment(objects: Pick<ObjectSet, 'services'>, namespace: string): Record<string, string> {
  const byName = new Map<string, Service>()
  for (const service of objects.services.values()) {
    const { metadata } = service
    const ofCluster = metadata.namespace === 'default' && metadata.name === API_SERVER
    if (!hasClusterIP(service)) continue
    // A namespace's own Service of that name wins.
    if (metadata.namespace === namespace || (ofCluster && !byName.has(API_SERVER))) byName.set(metadata.name, service)
  }
  const services = [...byName].sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(services.flatMap(([, service]) => variables(service)))
}

function hasClusterIP({ spec }: Service): boolean {
  const [address = 'None'] = spec.clusterIPs
  return spec.type !== 'ExternalName' && address !== 'None' && spec.ports.length > 0
}

function variables({ metadata, spec }: Service): [string, string][] {
  const prefix = variableName(metadata.name)
  const [address = ''] = spec.clusterIPs
  const [first] = spec.ports
  const url = (port: Service['spec']['ports'][number]) =>
    `${port.protocol.toLowerCase()}://${hostPort(address, port.port)}`
  return [
    [`${prefix}_SERVICE_HOST`, address],
    [`${prefix}_SERVICE_PORT`, String(first?.port)],
    ...spec.ports
      .filter(({ name }) => name !== '')
      .map(({ name, port }): [string, string] => [`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port)]),
    // Docker's container links, which the first images to run in clusters knew.
    ...(first ? [[`${prefix}_PORT`, url(first)] satisfies [string, string]] : []),
    ...spec.ports.flatMap((port): [string, string][] => {
      const link = `${prefix}_PORT_${port.port}_${port.protocol}`
      return [
        [link, url(port)],
        [`${link}_PROTO`, port.protocol.toLowerCase()],
        [`${link}_PORT`, String(port.port)],
        [`${link}_ADDR`, address],
      ]
    }),
  ]
}

function variableName(name: string): string {
  return name.replaceAll('-', '_').toUpperCase()
}

function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
