// SPDX-License-Identifier: Apache-2.0
/** Traffic policies through the programs: every kind of frontend, family, protocol and client place, by kube-proxy's rules. */

import { test } from 'node:test'
import type { FrontendKind } from '../../src/model/types.ts'
import { skip } from './requires-bpf.ts'
import { expectRows, type Masquerade, type Row } from './trace.expect.ts'
import {
  addressesOf,
  type ClientName,
  clients,
  clusterFlags,
  endpoint,
  manifestFolder,
  nodes,
  type PodName,
  service,
} from './trace.world.ts'

const placements: Readonly<Record<string, readonly PodName[]>> = {
  here: ['a1'],
  there: ['b1'],
  both: ['a1', 'a2', 'b1'],
  nowhere: [],
}
type Placement = keyof typeof placements

type Outcome = readonly PodName[] | 'drop' | 'reject'

// KEP-2086 and the short-circuit of kube-proxy's external chains, as a table: what clients get by policy and placement.
const byPolicy: Readonly<Record<'Cluster' | 'Local', Readonly<Record<Placement, Outcome>>>> = {
  Cluster: { here: ['a1'], there: ['b1'], both: ['a1', 'a2', 'b1'], nowhere: 'reject' },
  Local: { here: ['a1'], there: 'drop', both: ['a1', 'a2'], nowhere: 'reject' },
}

/** A client outside is masqueraded where its backend is elsewhere; pods and the node keep their addresses. */
const masqueradeOf: Readonly<Record<ClientName, Masquerade>> = { pod: 'self', host: 'never', external: 'remote' }

const kinds: readonly FrontendKind[] = ['clusterIP', 'nodePort', 'externalIP', 'loadBalancerIP']
const portsOf = { http: ['tcp', 80, 8080], dns: ['udp', 53, 5353], diameter: ['sctp', 3868, 3868] } as const
const policies = ['Cluster', 'Local'] as const

interface World {
  readonly internal: 'Cluster' | 'Local'
  readonly external: 'Cluster' | 'Local'
  readonly placement: Placement
  readonly n: number
}

const worlds: readonly World[] = policies.flatMap((internal, i) =>
  policies.flatMap((external, e) =>
    Object.keys(placements).map(
      (placement, p): World => ({ internal, external, placement, n: 10 + i * 8 + e * 4 + p }),
    ),
  ),
)

function nameOf({ internal, external, placement }: World): string {
  return `${internal}-${external}-${placement}`.toLowerCase()
}

function policyFor(world: World, kind: FrontendKind, client: ClientName): 'Cluster' | 'Local' {
  if (kind === 'clusterIP') return world.internal
  return client === 'external' ? world.external : 'Cluster'
}

function rowsOf(world: World): Row[] {
  const rows: Row[] = []
  for (const kind of kinds) {
    for (const client of Object.keys(clients) as ClientName[]) {
      for (const [portName, [proto, port, backendPort]] of Object.entries(portsOf)) {
        for (const family of ['v4', 'v6'] as const) {
          const outcome = byPolicy[policyFor(world, kind, client)][world.placement] as Outcome
          const dst = endpoint(addressesOf(world.n)[kind][family], kind === 'nodePort' ? 30_000 + world.n : port)
          const common = {
            name: `${nameOf(world)} ${kind} ${client}`,
            packet: { src: clients[client][family], dst, proto, from: client },
            ...{ service: `default/${nameOf(world)}:${portName}`, frontend: kind, port: backendPort },
          }
          if (outcome === 'drop') rows.push({ ...common, verdict: 'drop', code: 'DROP_NO_LOCAL_ENDPOINT' })
          else if (outcome === 'reject') rows.push({ ...common, verdict: 'reject', code: 'REJECT_NO_ENDPOINT' })
          else {
            const forward = { verdict: 'forward', candidates: outcome, code: 'FORWARD_NEW' } as const
            rows.push({ ...common, ...forward, masquerade: masqueradeOf[client] })
          }
        }
      }
    }
  }
  return rows
}

test('trace answers each traffic policy for each frontend, client and placement', { skip }, async (context) => {
  const objects = worlds.flatMap((world) =>
    service({
      name: nameOf(world),
      n: world.n,
      endpoints: placements[world.placement] ?? [],
      spec: { internalTrafficPolicy: world.internal, externalTrafficPolicy: world.external },
    }),
  )
  const folder = manifestFolder(context, [...nodes, ...objects])
  await expectRows(['-m', folder, '--node', 'node-a', ...clusterFlags], worlds.flatMap(rowsOf))
})
