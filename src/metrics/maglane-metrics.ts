// SPDX-License-Identifier: Apache-2.0
/** maglane's own metrics: what became of packets, how full the maps are, what the agent had to repair. */

import { Counter, Gauge, type Registry } from 'prom-client'
import { type ReasonCount, reasonNames } from '../abi/generated.ts'
import { verdictOf } from '../cli/live/words.ts'
import type { AuditReport } from '../dataplane/audit.ts'
import type { Attachment } from '../node/attach.ts'
import { MonotonicTotals, type StatName } from './monotonic-totals.ts'

/** How full a map is. */
export interface MapFill {
  readonly map: string
  /** Undefined: the map is not one that fills, or has not been counted yet. */
  readonly entries: number | undefined
  readonly capacity: number
  /** Bytes when it is full. */
  readonly memoryBytes: number
}

/** Facts of the last reconcile. */
export interface Programs {
  readonly services: number
  /** Services that do not stand in the maps as they should. */
  readonly failedServices: number
  /** Faults in somebody's objects. */
  readonly objectErrors: number
}

const SERVICE_HELP: Readonly<Record<StatName, string>> = {
  flows: 'Backends chosen: connections and UDP flows',
  packets: 'Packets from clients to Services, without those of sockets that were translated at connect',
  bytes: 'Bytes of those packets',
  refused: 'Packets and connections to Services that were rejected or dropped',
}

export class MaglaneMetrics {
  readonly services = new MonotonicTotals()
  readonly #packets: Counter<'reason' | 'verdict'>
  readonly #bytes: Counter<'reason' | 'verdict'>
  readonly #serviceTotals: Readonly<Record<StatName, Counter>>
  readonly #entries: Gauge<'map'>
  readonly #capacity: Gauge<'map'>
  readonly #memory: Gauge<'map'>
  readonly #drift: Counter<'map'>
  readonly #faults: Counter
  readonly #swept: Counter
  readonly #socketsClosed: Counter
  readonly #programs: Readonly<Record<keyof Programs, Gauge>>
  readonly #devices: Gauge<'device' | 'class' | 'xdp' | 'tc'>

  constructor(registry: Registry, version: string) {
    const registers = [registry]
    const counter = (name: string, help: string) => new Counter({ name: `maglane_${name}`, help, registers })
    const gauge = (name: string, help: string) => new Gauge({ name: `maglane_${name}`, help, registers })
    const byReason = (name: string, help: string) =>
      new Counter({ name: `maglane_${name}`, help, labelNames: ['reason', 'verdict'], registers })
    const byMap = (name: string, help: string) =>
      new Gauge({ name: `maglane_map_${name}`, help, labelNames: ['map'], registers })
    this.#packets = byReason('packets_total', 'Packets that the programs saw, by the reason for what became of them')
    this.#bytes = byReason('bytes_total', 'Bytes of those packets')
    this.#serviceTotals = {
      flows: counter('service_flows_total', SERVICE_HELP.flows),
      packets: counter('service_packets_total', SERVICE_HELP.packets),
      bytes: counter('service_bytes_total', SERVICE_HELP.bytes),
      refused: counter('service_refused_total', SERVICE_HELP.refused),
    }
    this.#entries = byMap('entries', 'Entries of a map; slots of the arena, bits of the filter')
    this.#capacity = byMap('capacity', 'How many entries a map has room for')
    this.#memory = byMap('memory_bytes', 'Memory of a map when it is full')
    this.#drift = new Counter({
      name: 'maglane_map_drift_total',
      help: 'Entries that were not as they should be and were repaired',
      labelNames: ['map'],
      registers,
    })
    this.#faults = counter('map_write_faults_total', 'Writes to the maps that failed and were tried again')
    this.#swept = counter('flows_swept_total', 'Flow entries that ended or fell silent and were deleted')
    this.#socketsClosed = counter(
      'udp_sockets_closed_total',
      'Connected UDP sockets closed since their backend is gone',
    )
    this.#programs = {
      services: gauge('services', 'Services that are known'),
      failedServices: gauge('services_failed', 'Services that do not stand in the maps as they should'),
      objectErrors: gauge('object_errors', 'Faults in objects, contested frontends included'),
    }
    this.#devices = new Gauge({
      name: 'maglane_device_info',
      help: 'Devices that programs are attached to, and how',
      labelNames: ['device', 'class', 'xdp', 'tc'],
      registers,
    })
    new Gauge({ name: 'maglane_build_info', help: 'Always 1', labelNames: ['version'], registers }).set({ version }, 1)
    // A rate needs a zero to start from.
    this.#faults.inc(0)
  }

  setReasons(counts: Iterable<readonly [reason: number, count: ReasonCount]>): void {
    this.#packets.reset()
    this.#bytes.reset()
    for (const [reason, { packets, bytes }] of counts) {
      const name = reasonNames[reason]
      if (name === undefined || name === 'REASON_MAX') continue
      const labels = { reason: name, verdict: verdictOf(reason) }
      this.#packets.inc(labels, Number(packets))
      this.#bytes.inc(labels, Number(bytes))
    }
  }

  /** Shows what {@link services} has summed up. */
  showServices(): void {
    for (const [name, total] of Object.entries(this.services.totals) as [StatName, bigint][]) {
      this.#serviceTotals[name].reset()
      this.#serviceTotals[name].inc(Number(total))
    }
  }

  setMaps(fills: Iterable<MapFill>): void {
    for (const { map, entries, capacity, memoryBytes } of fills) {
      if (entries !== undefined) this.#entries.set({ map }, entries)
      this.#capacity.set({ map }, capacity)
      this.#memory.set({ map }, memoryBytes)
    }
  }

  setDevices(attachments: Iterable<Attachment>): void {
    this.#devices.reset()
    for (const { device, class: deviceClass, xdp, tc } of attachments) {
      this.#devices.set({ device, class: deviceClass, xdp, tc: tc ?? 'none' }, 1)
    }
  }

  setPrograms(programs: Programs): void {
    for (const name of Object.keys(this.#programs) as (keyof Programs)[]) this.#programs[name].set(programs[name])
  }

  drifted(report: AuditReport): void {
    for (const [map, entries] of Object.entries(report)) this.#drift.inc({ map }, entries)
  }

  writeFault(): void {
    this.#faults.inc()
  }

  swept(flows: number): void {
    this.#swept.inc(flows)
  }

  socketsClosed(sockets: number): void {
    this.#socketsClosed.inc(sockets)
  }
}
