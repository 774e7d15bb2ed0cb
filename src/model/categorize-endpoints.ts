// SPDX-License-Identifier: Apache-2.0
/**
 * Which endpoints of a Service port serve, as kube-proxy's CategorizeEndpoints decides (KEP-1669, 2086, 2433, 3015, 4444).
 */

/** One endpoint of one family, port number included. */
export interface Endpoint {
  /** Canonical. */
  readonly address: string
  readonly port: number
  readonly local: boolean
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  /** Names of the nodes and zones that the endpoint is meant for; empty: no hints. */
  readonly nodeHints: readonly string[]
  readonly zoneHints: readonly string[]
}

export interface CategorizedEndpoints {
  /** For policy Cluster: narrowed by hints; all of them ready, or all of them terminating. */
  readonly cluster: readonly Endpoint[]
  /** For policy Local: decided on its own, hints do not count. */
  readonly local: readonly Endpoint[]
  /** Whether any endpoint is usable anywhere: an empty set without one rejects, with one it drops. */
  readonly hasAny: boolean
}

/** Where the node is, as far as hints ask. */
export interface Place {
  readonly nodeName: string
  readonly zone?: string
}

export function categorizeEndpoints(endpoints: readonly Endpoint[], place: Place): CategorizedEndpoints {
  const ready = endpoints.filter((endpoint) => endpoint.ready)
  const usable = ready.length > 0 ? ready : endpoints.filter(isServingTerminating)
  const here = endpoints.filter((endpoint) => endpoint.local)
  const hereReady = here.filter((endpoint) => endpoint.ready)
  return {
    cluster: ready.length > 0 ? narrowByHints(ready, place) : usable,
    local: hereReady.length > 0 ? hereReady : here.filter(isServingTerminating),
    hasAny: usable.length > 0,
  }
}

/** A pod that is being deleted still answers: better than nobody (KEP-1669). */
function isServingTerminating(endpoint: Endpoint): boolean {
  return endpoint.serving && endpoint.terminating
}

/**
 * Node hints first, then zone hints; each counts only when every ready endpoint has some and one is meant for us, so
 * that a half-written set of hints never starves a node.
 */
function narrowByHints(ready: readonly Endpoint[], { nodeName, zone }: Place): readonly Endpoint[] {
  const forNode = hinted(ready, nodeName, (endpoint) => endpoint.nodeHints)
  return forNode ?? hinted(ready, zone, (endpoint) => endpoint.zoneHints) ?? ready
}

function hinted(
  ready: readonly Endpoint[],
  name: string | undefined,
  hintsOf: (endpoint: Endpoint) => readonly string[],
): readonly Endpoint[] | undefined {
  if (!name || !ready.every((endpoint) => hintsOf(endpoint).length > 0)) return undefined
  const chosen = ready.filter((endpoint) => hintsOf(endpoint).includes(name))
  return chosen.length > 0 ? chosen : undefined
}
