// SPDX-License-Identifier: Apache-2.0
/** What a node expects of its proxy beside forwarding: health checks, healthCheckNodePorts, metrics. */

import { collectDefaultMetrics, Registry } from 'prom-client'
import { type Config, ConfigError } from '../config/config.ts'
import type { AuditReport } from '../dataplane/audit.ts'
import type { SyncResult } from '../dataplane/dataplane.ts'
import type { SweepReport } from '../dataplane/sweeper.ts'
import type { Answerer } from '../health/answer.ts'
import { type BindAddress, parseBindAddress } from '../health/bind-address.ts'
import { EndpointServer, type EndpointServerError } from '../health/endpoint-server.ts'
import { healthAnswer } from '../health/health-answers.ts'
import { ProxyHealth } from '../health/proxy-health.ts'
import { ServiceHealthServers } from '../health/service-health-servers.ts'
import { IP_FAMILIES, KubeProxyMetrics, type Probe } from '../metrics/kube-proxy-metrics.ts'
import { MaglaneMetrics } from '../metrics/maglane-metrics.ts'
import { type DataplaneView, MapCollector } from '../metrics/map-collector.ts'
import { metricsAnswer } from '../metrics/metrics-answer.ts'
import { NoLocalEndpoints } from '../metrics/no-local-endpoints.ts'
import { TriggerTimes } from '../metrics/trigger-times.ts'
import { familyOf } from '../model/ip.ts'
import type { Model, ObjectChanges } from '../model/model.ts'
import type { Node } from '../model/types.ts'
import type { Log } from './log.ts'

/** As kube-proxy's, where the address is given without one. */
const HEALTHZ_PORT = 10_256
const METRICS_PORT = 10_249

export interface NodeDutiesOptions {
  readonly config: Pick<Config, 'healthzBindAddress' | 'metricsBindAddress'>
  readonly log: Log
  /** Of maglane, for its build info. */
  readonly version: string
  /** Milliseconds since the epoch. Default Date.now. */
  readonly now?: () => number
}

/**
 * The agent calls the methods in this order for each state: {@link onState}, {@link onModel}, {@link onProgrammed}. A call
 * costs what changed, not what is known.
 */
export class NodeDuties implements Disposable {
  /** Where the servers listen; undefined where there is none, or its port is not bound yet. */
  readonly listening: () => { readonly healthz: BindAddress | undefined; readonly metrics: BindAddress | undefined }
  readonly #health: ProxyHealth
  readonly #serviceHealth: ServiceHealthServers
  readonly #registry = new Registry()
  readonly #kubeProxy: KubeProxyMetrics
  readonly #maglane: MaglaneMetrics
  readonly #noLocalEndpoints = new NoLocalEndpoints()
  readonly #triggerTimes: TriggerTimes
  readonly #servers: readonly EndpointServer[]
  #collector: MapCollector | undefined
  #failedServices = 0
  #fullSyncDue = true

  /** Begins to serve. Throws ConfigError for an address that cannot be read; a port that is taken is tried again. */
  constructor({ config, log, version, now = Date.now }: NodeDutiesOptions) {
    const healthz = readAddress('healthzBindAddress', config.healthzBindAddress, HEALTHZ_PORT)
    const metrics = readAddress('metricsBindAddress', config.metricsBindAddress, METRICS_PORT)
    this.#health = new ProxyHealth({ now })
    this.#kubeProxy = new KubeProxyMetrics({ registry: this.#registry, now })
    this.#maglane = new MaglaneMetrics(this.#registry, version)
    this.#triggerTimes = new TriggerTimes(now())
    collectDefaultMetrics({ register: this.#registry })
    const onError = (error: EndpointServerError) => log('error', error.message)
    this.#serviceHealth = new ServiceHealthServers({ isHealthy: () => this.#health.report().healthy, onError })
    const serve = (name: string, address: BindAddress | undefined, answer: Answerer) =>
      address && new EndpointServer({ name, address, answer, onError })
    const servers = {
      healthz: serve('health checks', healthz, (path) => this.#probe(path)),
      metrics: serve('metrics', metrics, async (path) =>
        metricsAnswer(path, this.#registry, async () => this.#collector?.collect()),
      ),
    }
    this.#servers = [servers.healthz, servers.metrics].filter((server) => server !== undefined)
    this.listening = () => ({ healthz: servers.healthz?.listening, metrics: servers.metrics?.listening })
  }

  /** The source has said something, which waits to be programmed. */
  onState(): void {
    for (const family of IP_FAMILIES) {
      this.#health.queued(family)
      this.#kubeProxy.queued(family)
    }
  }

  /** The model is up to date; `node` is this node's object. */
  onModel(model: Model, node: Node | undefined): void {
    this.#health.setNode(node)
    this.#countChanges(model.changes)
    for (const change of model.changes.slices) this.#triggerTimes.add(change)
    this.#noLocalEndpoints.update(model.plans, model.changed)
    this.#serviceHealth.setPlans(model.plans, model.changed)
  }

  /**
   * The maps hold what the model wants, but for the failures that the result names.
   *
   * @param durationMs From the start of the model's update until the maps were written.
   * @param objectErrors How many objects have faults.
   */
  onProgrammed(model: Model, result: SyncResult, durationMs: number, objectErrors: number): void {
    this.#failedServices = result.failures.length
    this.#serviceHealth.setProgrammed(model.plans)
    for (const ipFamily of IP_FAMILIES) {
      this.#health.updated(ipFamily)
      const triggerTimes = this.#triggerTimes.take(ipFamily)
      this.#kubeProxy.programmed({ ipFamily, durationMs, full: this.#fullSyncDue, triggerTimes })
      for (const policy of ['internal', 'external'] as const) {
        this.#kubeProxy.setNoLocalEndpoints(policy, ipFamily, this.#noLocalEndpoints.totals[policy][ipFamily])
      }
    }
    this.#fullSyncDue = false
    this.#maglane.setPrograms({ services: model.plans.size, failedServices: this.#failedServices, objectErrors })
  }

  /** A write to the maps failed and is tried again. */
  onFault(): void {
    this.#maglane.writeFault()
  }

  onAudit(report: AuditReport): void {
    this.#maglane.drifted(report)
  }

  onSweep({ seen, deleted }: SweepReport): void {
    this.#maglane.swept(deleted)
    this.#collector?.setFlows(Math.max(0, seen - deleted))
  }

  onSocketsClosed(sockets: number): void {
    this.#maglane.socketsClosed(sockets)
  }

  /** From now on the metrics show these maps; they must stay open until {@link stop}. */
  observe(view: DataplaneView): void {
    this.#collector?.close()
    this.#collector = new MapCollector(view, this.#maglane)
  }

  /** Frees the ports and lets go of the maps; a second call does nothing. */
  stop(): void {
    this.#collector?.close()
    this.#collector = undefined
    for (const server of this.#servers) server.close()
    this.#serviceHealth.close()
  }

  [Symbol.dispose](): void {
    this.stop()
  }

  #countChanges({ services, slices }: ObjectChanges): void {
    const counts = { service: { IPv4: 0, IPv6: 0 }, endpoint: { IPv4: 0, IPv6: 0 } }
    for (const { before, after } of services) {
      const addresses = [before, after].flatMap((service) => service?.spec.clusterIPs ?? [])
      for (const family of new Set(addresses.filter((text) => text !== 'None').map(familyOf))) counts.service[family]++
    }
    for (const { before, after } of slices) {
      const type = (after ?? before)?.addressType
      if (type === 'IPv4' || type === 'IPv6') counts.endpoint[type]++
    }
    for (const kind of ['service', 'endpoint'] as const) {
      for (const family of IP_FAMILIES) {
        if (counts[kind][family] > 0) this.#kubeProxy.changed(kind, family, counts[kind][family])
      }
    }
  }

  #probe(path: string) {
    const report = this.#health.report()
    const facts = { ...report, ready: this.#health.ready, failedServices: this.#failedServices }
    const answer = healthAnswer(path, facts)
    if (answer && (path === '/healthz' || path === '/livez')) {
      this.#kubeProxy.probed(path.slice(1) as Probe, answer.status)
    }
    return answer
  }
}

function readAddress(field: string, text: string, defaultPort: number): BindAddress | undefined {
  if (text === '') return undefined
  try {
    return parseBindAddress(text, defaultPort)
  } catch (cause) {
    throw new ConfigError(field, cause instanceof Error ? cause.message : String(cause), { cause })
  }
}
