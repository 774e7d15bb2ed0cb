// SPDX-License-Identifier: Apache-2.0
/** kube-proxy's own metrics, under its names, so that dashboards and alerts made for it go on working. */

import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { IpFamily } from '../model/types.ts'

export const IP_FAMILIES: readonly IpFamily[] = ['IPv4', 'IPv6']

/** Seconds: 0.001 · 2^0 … 2^14. */
export const SYNC_BUCKETS: readonly number[] = Array.from({ length: 15 }, (_, power) => 0.001 * 2 ** power)

/** Seconds, as the network programming latency SLO asks for them. */
export const PROGRAMMING_BUCKETS: readonly number[] = [
  0.25,
  0.5,
  ...linear(1, 1, 59),
  ...linear(60, 5, 12),
  ...linear(120, 30, 7),
]

function linear(start: number, width: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => start + index * width)
}

/** One kind of object that changes are counted of. */
export type ChangeKind = 'endpoint' | 'service'
export type TrafficPolicy = 'internal' | 'external'
export type Probe = 'healthz' | 'livez'

/** What a sync of one family did. */
export interface Programmed {
  readonly ipFamily: IpFamily
  readonly durationMs: number
  /** Everything was compared, not only what was said to have changed. */
  readonly full: boolean
  /** When the changes that are in the maps now were made, in milliseconds since the epoch. */
  readonly triggerTimes: readonly number[]
}

export interface KubeProxyMetricsOptions {
  readonly registry: Registry
  /** Milliseconds since the epoch. Default Date.now. */
  readonly now?: () => number
}

export class KubeProxyMetrics {
  readonly #now: () => number
  readonly #programming: Histogram<'ip_family'>
  readonly #sync: Histogram<'ip_family'>
  readonly #fullSync: Histogram<'ip_family'>
  readonly #partialSync: Histogram<'ip_family'>
  readonly #lastSync: Gauge<'ip_family'>
  readonly #lastQueued: Gauge<'ip_family'>
  readonly #pending: Readonly<Record<ChangeKind, Gauge<'ip_family'>>>
  readonly #changes: Readonly<Record<ChangeKind, Counter<'ip_family'>>>
  readonly #noLocalEndpoints: Gauge<'ip_family' | 'traffic_policy'>
  readonly #probes: Readonly<Record<Probe, Counter<'code'>>>

  constructor({ registry, now = Date.now }: KubeProxyMetricsOptions) {
    const registers = [registry]
    const labelNames = ['ip_family'] as const
    const histogram = (name: string, help: string, buckets: readonly number[]) =>
      new Histogram({ name: `kubeproxy_${name}`, help, labelNames, buckets: [...buckets], registers })
    const gauge = (name: string, help: string) =>
      new Gauge({ name: `kubeproxy_sync_proxy_rules_${name}`, help, labelNames, registers })
    const changes = (kind: ChangeKind) =>
      new Counter({
        name: `kubeproxy_sync_proxy_rules_${kind}_changes_total`,
        help: `Changes of ${kind}s that were seen`,
        labelNames,
        registers,
      })
    const probes = (probe: Probe) =>
      new Counter({
        name: `kubeproxy_proxy_${probe}_total`,
        help: `Answers of /${probe}`,
        labelNames: ['code'],
        registers,
      })
    this.#now = now
    this.#programming = histogram(
      'network_programming_duration_seconds',
      'From the change of a Service or Pod until it is in the maps',
      PROGRAMMING_BUCKETS,
    )
    this.#sync = histogram('sync_proxy_rules_duration_seconds', 'Time to bring the maps up to date', SYNC_BUCKETS)
    this.#fullSync = histogram('sync_full_proxy_rules_duration_seconds', 'The same, of everything', SYNC_BUCKETS)
    this.#partialSync = histogram('sync_partial_proxy_rules_duration_seconds', 'The same, of changes', SYNC_BUCKETS)
    this.#lastSync = gauge('last_timestamp_seconds', 'When the maps were last brought up to date')
    this.#lastQueued = gauge('last_queued_timestamp_seconds', 'When a change was last seen')
    this.#pending = {
      endpoint: gauge('endpoint_changes_pending', 'Changes of endpoints that are not in the maps yet'),
      service: gauge('service_changes_pending', 'Changes of Services that are not in the maps yet'),
    }
    this.#changes = { endpoint: changes('endpoint'), service: changes('service') }
    this.#noLocalEndpoints = new Gauge({
      name: 'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
      help: 'Service ports with a Local traffic policy and no endpoint on this node',
      labelNames: ['ip_family', 'traffic_policy'],
      registers,
    })
    this.#probes = { healthz: probes('healthz'), livez: probes('livez') }
    for (const family of IP_FAMILIES) {
      this.#pending.endpoint.set({ ip_family: family }, 0)
      this.#pending.service.set({ ip_family: family }, 0)
    }
  }

  /** Something of a family is to be written. */
  queued(ipFamily: IpFamily): void {
    this.#lastQueued.set({ ip_family: ipFamily }, this.#now() / 1000)
  }

  /** Objects changed; they are pending until the family is {@link programmed}. */
  changed(kind: ChangeKind, ipFamily: IpFamily, count: number): void {
    this.#changes[kind].inc({ ip_family: ipFamily }, count)
    this.#pending[kind].inc({ ip_family: ipFamily }, count)
  }

  /** Everything that was known of a family is in the maps. */
  programmed({ ipFamily, durationMs, full, triggerTimes }: Programmed): void {
    const labels = { ip_family: ipFamily }
    const nowMs = this.#now()
    this.#sync.observe(labels, durationMs / 1000)
    const bySize = full ? this.#fullSync : this.#partialSync
    bySize.observe(labels, durationMs / 1000)
    this.#lastSync.set(labels, nowMs / 1000)
    this.#pending.endpoint.set(labels, 0)
    this.#pending.service.set(labels, 0)
    // The clock of who made the change may be ahead of this node's.
    for (const triggerMs of triggerTimes) this.#programming.observe(labels, Math.max(0, nowMs - triggerMs) / 1000)
  }

  setNoLocalEndpoints(policy: TrafficPolicy, ipFamily: IpFamily, count: number): void {
    this.#noLocalEndpoints.set({ ip_family: ipFamily, traffic_policy: policy }, count)
  }

  /** A probe was answered. */
  probed(probe: Probe, status: number): void {
    this.#probes[probe].inc({ code: String(status) })
  }
}
