// SPDX-License-Identifier: Apache-2.0
/** Keeps the maps as the plans want them: one change at a time, each carried out whole. */

import { setTimeout as delay, setImmediate as yieldToEvents } from 'node:timers/promises'
import { Limits } from '../abi/generated.ts'
import { compile } from '../compiler/compile.ts'
import { ipProtocol } from '../compiler/ip-protocol.ts'
import type { ServicePlan } from '../model/types.ts'
import { type AuditReport, auditSteps, emptyAuditReport } from './audit.ts'
import { type BackOffOptions, backOffMs } from './back-off.ts'
import { isEmptyChange } from './change.ts'
import type { ServiceProgramError } from './dataplane-error.ts'
import { ProgramState } from './program-state.ts'
import type { Tables } from './tables.ts'
import { Transaction } from './transaction.ts'

/** Longer than the sweeper takes to forget what named an id. */
const ID_GRACE_MS = 30_000

/** A program that was preempted between two lookups has long run on. */
const REGION_GRACE_MS = 5_000

const BITS_PER_WORD = 64

export interface DataplaneOptions {
  readonly tables: Tables
  /** Of every hash; one for the whole cluster. */
  readonly seed: number
  /** Pings to every VIP are answered, not to ClusterIPs alone refused. Default false. */
  readonly answerPing?: boolean
  readonly backOff?: BackOffOptions
  /** A write failed and is tried again; the error, and how often it failed in a row. */
  readonly onFault?: (error: unknown, failures: number) => void
  /** Milliseconds, monotonic. Default performance.now. */
  readonly now?: () => number
}

export interface SyncResult {
  /** Services that were compiled again. */
  readonly changed: number
  readonly removed: number
  /** Whether anything was written. */
  readonly written: boolean
  /** Whether a backend of UDP serves no more: sockets may be left on it. */
  readonly udpRetired: boolean
  /** Services that do not stand in the maps as they should. */
  readonly failures: readonly ServiceProgramError[]
}

export class Dataplane {
  readonly state: ProgramState
  readonly tables: Tables
  readonly seed: number
  readonly #options: DataplaneOptions
  #adopted = false
  #transaction: Transaction | undefined

  constructor(options: DataplaneOptions) {
    const { tables, now = () => performance.now() } = options
    this.#options = options
    this.tables = tables
    this.seed = options.seed
    this.state = new ProgramState({
      limits: {
        services: tables.services.capacity,
        members: tables.members.capacity,
        source_ranges: tables.source_ranges.capacity,
        frontends: tables.frontends.capacity,
        serviceIds: tables.serviceLimit,
        backends: tables.backendLimit,
        slots: tables.arena.length,
        filterBits: Limits.FILTER_WORDS * BITS_PER_WORD,
      },
      answerPing: options.answerPing ?? false,
      idGraceMs: ID_GRACE_MS,
      regionGraceMs: REGION_GRACE_MS,
      now,
    })
  }

  /** Takes over what stands in the maps; before the first {@link sync}. What no plan wants goes at the first sync. */
  restore(): void {
    this.state.adopt(this.tables)
    this.#adopted = true
  }

  /**
   * Brings the maps to what the plans want. Must not be called again before it has returned.
   *
   * @param signal ends the wait for the next try of a failed write; the rest is then done by the next sync
   */
  async sync(plans: ReadonlyMap<string, ServicePlan>, signal?: AbortSignal): Promise<SyncResult> {
    if (this.#transaction) await this.#carryOut(this.#transaction, signal)
    const compiled = compile(plans, this.state.known(), (key) => this.state.planOf(key))
    const change = this.state.advance(compiled)
    if (this.#adopted) this.state.removeOrphans(change)
    this.#adopted = false
    const written = !isEmptyChange(change)
    if (written) await this.#carryOut(new Transaction(change, this.tables, this.seed), signal)
    else this.state.settle(change)
    return {
      changed: compiled.changed.length,
      removed: compiled.removed.length,
      written,
      udpRetired: change.retired.some(({ backend }) => backend.protocol === ipProtocol.UDP),
      failures: [...this.state.failures.values()],
    }
  }

  /** Compares the maps with what they should hold and repairs what differs, in small steps; stops when a sync begins. */
  async audit(): Promise<AuditReport> {
    const report = emptyAuditReport()
    for (const step of auditSteps(this.state, this.tables, this.seed, report)) {
      if (this.#transaction) break
      step()
      await yieldToEvents()
    }
    return report
  }

  async #carryOut(transaction: Transaction, signal: AbortSignal | undefined): Promise<void> {
    this.#transaction = transaction
    for (let failures = 0; ; ) {
      try {
        transaction.run()
        break
      } catch (error) {
        failures++
        this.#options.onFault?.(error, failures)
        await delay(backOffMs(failures, this.#options.backOff), undefined, signal ? { signal } : {})
      }
    }
    this.#transaction = undefined
    this.state.settle(transaction.change)
  }
}
