// SPDX-License-Identifier: Apache-2.0
/** How long the Kubernetes source waits for what, and by which clock. */
import { setTimeout as sleep } from 'node:timers/promises'
import { backOffMs } from '../../dataplane/back-off.ts'

export interface Clock {
  /** Resolves after `ms`, or at once when the signal aborts. */
  delay(ms: number, signal: AbortSignal): Promise<void>
  /** Milliseconds, monotonic. */
  nowMs(): number
  /** From 0 to 1, without 1. */
  random(): number
}

export const SYSTEM_CLOCK: Clock = {
  delay: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
  nowMs: () => performance.now(),
  random: () => Math.random(),
}

export interface Timing {
  /** For the head of a response. */
  readonly headMs: number
  /** A LIST that sends nothing for so long is broken off. */
  readonly listIdleMs: number
  /**
   * A WATCH that sends nothing for so long is taken for dead. The API server sends a bookmark each minute, at most 75 s
   * after the last, so that silence means a peer that is gone; where it sends none, a new WATCH costs one request.
   */
  readonly watchIdleMs: number
  /** TCP probes begin after so long: a peer that vanished is found by the kernel, 10 s later. */
  readonly keepAliveMs: number
  /** A WATCH is asked for so many seconds, up to twice as many, so that a restart's connections do not all end together. */
  readonly watchSeconds: number
  readonly firstRetryMs: number
  readonly maxRetryMs: number
  /** Between two looks for an API that the server does not have. */
  readonly absentRetryMs: number
  /** A WATCH that ends sooner, without an event, counts as failed: else a server that closes at once is asked in a loop. */
  readonly shortWatchMs: number
  /** Objects in one page of a LIST, as client-go asks for. */
  readonly pageSize: number
}

export const DEFAULT_TIMING: Timing = {
  headMs: 30_000,
  listIdleMs: 30_000,
  watchIdleMs: 90_000,
  keepAliveMs: 15_000,
  watchSeconds: 300,
  firstRetryMs: 500,
  maxRetryMs: 30_000,
  absentRetryMs: 300_000,
  shortWatchMs: 1_000,
  pageSize: 500,
}

/** Milliseconds before the try after `failures` failed ones: doubling, spread over once to twice as long. */
export function retryDelayMs(failures: number, { firstRetryMs, maxRetryMs }: Timing, clock: Clock): number {
  return backOffMs(failures, { firstMs: firstRetryMs, maxMs: maxRetryMs }) * (1 + clock.random())
}
