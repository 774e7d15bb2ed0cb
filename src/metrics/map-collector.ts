// SPDX-License-Identifier: Apache-2.0
/** Reads the maps when somebody asks for the metrics, in small steps: the agent has other work. */

import { setImmediate as yieldToEvents } from 'node:timers/promises'
import { mapSpecs } from '../abi/generated.ts'
import type { MapName, Maps } from '../bpf/maps.ts'
import { mapMemory } from '../bpf/memory.ts'
import type { Dataplane } from '../dataplane/dataplane.ts'
import type { Attachment } from '../node/attach.ts'
import type { MaglaneMetrics, MapFill } from './maglane-metrics.ts'

/** Maps that only the kernel knows the fill of are counted no more often. */
const COUNT_INTERVAL_MS = 30_000
/** Counters of some hundred Services take a millisecond. */
const SERVICES_PER_STEP = 250

const COUNTED = ['affinities', 'sockets', 'frags', 'devices'] as const satisfies readonly MapName[]

/** What stands once the programs are loaded. */
export interface DataplaneView {
  readonly maps: Maps
  readonly dataplane: Dataplane
  readonly attachments: () => readonly Attachment[]
}

export class MapCollector {
  readonly #view: DataplaneView
  readonly #metrics: MaglaneMetrics
  readonly #counts = new Map<MapName, number>()
  #countedMs = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined
  #closed = false

  constructor(view: DataplaneView, metrics: MaglaneMetrics) {
    this.#view = view
    this.#metrics = metrics
  }

  /** Brings the metrics up to date; two who ask at once share one reading. */
  collect(): Promise<void> {
    this.#running ??= this.#collect().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** Flow entries as the sweeper has counted them. */
  setFlows(entries: number): void {
    this.#counts.set('flows', entries)
  }

  /** Nothing is read after this: the maps may be closed. */
  close(): void {
    this.#closed = true
  }

  async #collect(): Promise<void> {
    if (this.#closed) return
    const { maps, attachments } = this.#view
    this.#metrics.setReasons(maps.reasons.sums())
    this.#metrics.setDevices(attachments())
    await this.#sumServices()
    await this.#count()
    if (!this.#closed) this.#metrics.setMaps(this.#fills())
  }

  async #sumServices(): Promise<void> {
    const { maps, dataplane } = this.#view
    const ids = new Set([...dataplane.state.services.values()].flatMap(({ ports }) => [...ports.values()]))
    let step = 0
    for (const id of ids) {
      this.#metrics.services.update(id, maps.service_stats.sum(id))
      if (++step % SERVICES_PER_STEP !== 0) continue
      await yieldToEvents()
      if (this.#closed) return
    }
    this.#metrics.services.keepOnly(ids)
    this.#metrics.showServices()
  }

  async #count(): Promise<void> {
    if (performance.now() - this.#countedMs < COUNT_INTERVAL_MS) return
    this.#countedMs = performance.now()
    for (const name of COUNTED) {
      let count = 0
      for (const block of this.#view.maps[name].blocks()) {
        count += block.count
        await yieldToEvents()
        if (this.#closed) return
      }
      this.#counts.set(name, count)
    }
  }

  #fills(): MapFill[] {
    const { maps } = this.#view
    return (Object.keys(mapSpecs) as MapName[]).map((map) => {
      const { handle } = maps[map]
      const capacity = map === 'filter' ? handle.valueSize * 8 : handle.maxEntries
      return { map, entries: this.#entries(map), capacity, memoryBytes: mapMemory(handle) }
    })
  }

  /** Of maps that the agent alone writes it knows the fill without asking. */
  #entries(map: MapName): number | undefined {
    const { tables, resources } = this.#view.dataplane.state
    switch (map) {
      case 'services':
      case 'members':
      case 'source_ranges':
      case 'frontends':
        return tables[map].size
      case 'backends':
        return resources.backends.size
      case 'arena':
        return resources.arena.used
      case 'filter':
        return countBits(this.#view.maps.filter.words)
      default:
        return this.#counts.get(map)
    }
  }
}

function countBits(words: Uint32Array): number {
  let count = 0
  for (const word of words) for (let rest = word; rest !== 0; rest &= rest - 1) count++
  return count
}
