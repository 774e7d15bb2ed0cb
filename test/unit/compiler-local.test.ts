// SPDX-License-Identifier: Apache-2.0
/** compileService(): an endpoint that two ports share. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileService } from '../../src/compiler/compile-service.ts'
import type { BackendSetPlan, PortPlan, ServicePlan } from '../../src/model/types.ts'

function port(portName: string, number: number, local: boolean): PortPlan {
  const set: BackendSetPlan = { backends: [{ address: '10.1.0.1', port: 8080, local }], empty: 'reject' }
  const frontend = { address: '10.96.0.1', port: number, kind: 'clusterIP' as const, internal: set, external: set }
  return {
    ...{ portName, protocol: 'TCP', port: number },
    frontends: [{ ...frontend, loopback: false, sourceRanges: undefined }],
  }
}

function plan(...ports: readonly PortPlan[]): ServicePlan {
  return {
    ...{ namespace: 'default', name: 'web', creationTimestamp: '', uid: '', ports, clusterIPs: ['10.96.0.1'] },
    ...{
      externalAddresses: [],
      affinitySeconds: 0,
      externalTrafficPolicy: 'Cluster',
      internalTrafficPolicy: 'Cluster',
    },
    ...{ healthCheckNodePort: 0, localReadyEndpoints: 0 },
  }
}

test('compileService() takes an endpoint for local when one of its ports knows that it is', () => {
  for (const places of [
    [true, false],
    [false, true],
  ] as const) {
    const { backends } = compileService(plan(port('a', 80, places[0]), port('b', 81, places[1])))
    assert.deepEqual(
      backends.map(({ address, local }) => [address, local]),
      [['10.1.0.1', true]],
    )
  }
})
