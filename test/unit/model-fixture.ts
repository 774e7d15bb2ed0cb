// SPDX-License-Identifier: Apache-2.0
/** Objects for tests of the model, written as manifests are: what is not said has the API's default. */
import assert from 'node:assert/strict'
import { normalize } from '../../src/model/normalize.ts'
import { objectKey } from '../../src/model/normalize-metadata.ts'
import { planService } from '../../src/model/service-plan.ts'
import type {
  BackendSetPlan,
  EndpointSlice,
  FrontendPlan,
  NodeContext,
  ObjectSet,
  Service,
  ServicePlan,
} from '../../src/model/types.ts'

export const node: NodeContext = {
  nodeName: 'node-a',
  nodePortAddresses: ['192.168.0.1', 'fd00:192::1'],
  nodeAddresses: ['192.168.0.1', 'fd00:192::1'],
  primaryAddresses: ['192.168.0.1', 'fd00:192::1'],
  localhostNodePorts: true,
}

type Raw = Readonly<Record<string, unknown>>

/** A Service `default/web` with ClusterIP 10.96.0.10 and port 80, unless said otherwise. */
export function service(spec: Raw = {}, rest: { metadata?: Raw; status?: Raw } = {}): Service {
  const { object, error } = normalize(
    'Service',
    {
      metadata: { name: 'web', ...rest.metadata },
      spec: { clusterIP: '10.96.0.10', ports: [{ port: 80 }], ...spec },
      ...(rest.status ? { status: rest.status } : {}),
    },
    'test.yaml',
  )
  assert.ifError(error)
  assert(object)
  return object
}

/** A slice of `default/web` with one unnamed port, 8080. */
export function slice(endpoints: readonly Raw[], rest: Raw = {}, metadata: Raw = {}): EndpointSlice {
  const { object, error } = normalize(
    'EndpointSlice',
    {
      metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' }, ...metadata },
      addressType: 'IPv4',
      ports: [{ port: 8080 }],
      endpoints,
      ...rest,
    },
    'test.yaml',
  )
  assert.ifError(error)
  assert(object)
  return object
}

/** A ready endpoint on a node. */
export function on(nodeName: string, address: string, rest: Raw = {}): Raw {
  return { addresses: [address], nodeName, ...rest }
}

export function objectSet(services: readonly Service[], slices: readonly EndpointSlice[]): ObjectSet {
  return {
    services: new Map(services.map((object) => [objectKey(object.metadata), object])),
    endpointSlices: new Map(slices.map((object) => [objectKey(object.metadata), object])),
    nodes: new Map(),
    serviceCIDRs: new Map(),
  }
}

export function plan(object: Service, slices: readonly EndpointSlice[] = [], context: NodeContext = node): ServicePlan {
  return planService(object, slices, context)
}

/** `kind address:port` of every frontend. */
export function frontendsOf(plan: ServicePlan): string[] {
  return plan.ports.flatMap(({ frontends }) => frontends.map(({ kind, address, port }) => `${kind} ${address} ${port}`))
}

/** The frontend of a kind, of the first port that has one. */
export function frontendOf(plan: ServicePlan, kind: FrontendPlan['kind']): FrontendPlan {
  const found = plan.ports.flatMap(({ frontends }) => frontends).find((frontend) => frontend.kind === kind)
  assert(found, `no frontend ${kind}`)
  return found
}

/** `10.0.0.1:8080 …`, or what an empty set does. */
export function backendsOf(set: BackendSetPlan): string {
  if (set.backends.length === 0) return set.empty
  return set.backends.map(({ address, port }) => `${address}:${port}`).join(' ')
}
