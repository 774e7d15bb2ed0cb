// SPDX-License-Identifier: Apache-2.0
/** The source against a control plane, and what it should hold: what the API says, read by the same eyes. */

import { deepStrictEqual } from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { ControlPlane } from '../../src/kube-test/control-plane.ts'
import { FaultyProxy } from '../../src/kube-test/faulty-proxy.ts'
import type { KubeClient } from '../../src/kube-test/kube-client.ts'
import { type ModelKind, normalize } from '../../src/model/normalize.ts'
import { objectKey } from '../../src/model/normalize-metadata.ts'
import type { ObjectSet } from '../../src/model/types.ts'
import { resourcesFor } from '../../src/source/kubernetes/resources.ts'
import type { Timing } from '../../src/source/kubernetes/timing.ts'
import { trim } from '../../src/source/kubernetes/trim.ts'
import type { KubernetesOptions } from '../../src/source/kubernetes/watch-kubernetes.ts'
import { Follower } from '../unit/kubernetes/follower.ts'

/** Silence is longer than the machine may be busy, and shorter than a test. */
const TIMING: Partial<Timing> = { firstRetryMs: 20, maxRetryMs: 200, pageSize: 3, watchIdleMs: 3_000, headMs: 3_000 }

const LIMIT_MS = 60_000
const POLL_MS = 50

export function follow(
  context: TestContext,
  options: Partial<KubernetesOptions> & Pick<KubernetesOptions, 'kubeconfig'>,
): Follower {
  const follower = new Follower({ nodeName: 'node-a', ...options, timing: { ...TIMING, ...options.timing } })
  context.after(() => follower.stop())
  return follower
}

export async function startProxy(context: TestContext, controlPlane: ControlPlane): Promise<FaultyProxy> {
  const proxy = new FaultyProxy(controlPlane.server)
  await proxy.start()
  context.after(() => proxy.stop())
  return proxy
}

/** All that the API server has, listed plainly. */
export async function objectsOf(client: KubeClient): Promise<ObjectSet> {
  const resources = resourcesFor('node-a')
  const read = async <K extends ModelKind>(name: keyof typeof resources, kind: K) => {
    const { path, selectors } = resources[name]
    const { items } = await client.get(`${path}?${new URLSearchParams(selectors[0])}`)
    return new Map(
      items.map((raw: unknown) => {
        const { object, error } = normalize(kind, raw, 'test')
        if (error) throw new Error(`${error.object}: ${error.field}: ${error.message}`)
        return [objectKey(object.metadata), trim(kind, object)] as const
      }),
    )
  }
  return {
    services: (await read('services', 'Service')) as ObjectSet['services'],
    endpointSlices: (await read('endpointSlices', 'EndpointSlice')) as ObjectSet['endpointSlices'],
    nodes: (await read('nodes', 'Node')) as ObjectSet['nodes'],
    serviceCIDRs: (await read('serviceCIDRs', 'ServiceCIDR')) as ObjectSet['serviceCIDRs'],
  }
}

/** Resolves when the follower's objects are the API server's, which controllers may still be changing. */
export async function untilSame(follower: Follower, client: KubeClient): Promise<void> {
  for (const deadline = performance.now() + LIMIT_MS; ; await delay(POLL_MS)) {
    const wanted = await objectsOf(client)
    const seen = follower.last?.objects
    if (isDeepStrictEqual(seen, wanted)) return
    if (performance.now() > deadline) deepStrictEqual(seen, wanted)
  }
}
