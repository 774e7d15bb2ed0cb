// SPDX-License-Identifier: Apache-2.0
/** Waiting for a condition. */

import { setTimeout as delay } from 'node:timers/promises'
import { LabError } from './lab-error.ts'

/**
 * Asks again and again until the answer is truthy, and gives that answer. What the condition throws counts as "not yet"
 * and is the cause of the LAB_TIMEOUT error that ends the waiting.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 15_000,
): Promise<NonNullable<T>> {
  const end = performance.now() + timeoutMs
  let cause: unknown
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    try {
      const answer = await condition()
      if (answer) return answer
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() > end) {
      const last = cause instanceof Error ? `: ${cause.message}` : ''
      throw new LabError('LAB_TIMEOUT', `waited ${timeoutMs} ms in vain until ${what}${last}`, { cause })
    }
    await delay(pauseMs)
  }
}
