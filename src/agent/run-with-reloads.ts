// SPDX-License-Identifier: Apache-2.0
/** SIGHUP, as daemons understand it: the configuration file is read again. */

import process from 'node:process'
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config/config.ts'
import type { FlagValues } from '../config/flags.ts'
import { loadConfig } from '../config/load-config.ts'
import type { Log } from './log.ts'

export interface ReloadOptions {
  readonly flags: FlagValues
  readonly log: Log
  /** Ends it for good. */
  readonly signal: AbortSignal
  /** Works by a configuration until its signal aborts. */
  readonly run: (config: Config, signal: AbortSignal) => Promise<void>
}

/**
 * Runs by the configuration of now, and anew when SIGHUP finds another one: in between, maps, programs and hooks stay as
 * they are. A file that cannot be used is said, and the last good one stays in force. Rejects with ConfigError when there
 * is no good one to begin with.
 */
export async function runWithReloads({ flags, log, signal, run }: ReloadOptions): Promise<void> {
  let config = await load(flags, log)
  let round = new AbortController()
  const reload = async () => {
    if (flags.config === undefined) {
      log('info', 'SIGHUP is ignored: there is no configuration file to read again')
      return
    }
    try {
      const next = await load(flags, log)
      const changed = !isDeepStrictEqual(next, config)
      log('info', changed ? 'starting anew with another configuration' : 'the configuration is the same')
      if (!changed) return
      config = next
      round.abort()
    } catch (error) {
      log('error', 'the configuration stays as it was', {
        reason: error instanceof Error ? error.message : String(error),
      })
    }
  }
  const onHangup = () => void reload()
  process.on('SIGHUP', onHangup)
  try {
    do {
      round = new AbortController()
      await run(config, AbortSignal.any([signal, round.signal]))
    } while (round.signal.aborted && !signal.aborted)
  } finally {
    process.off('SIGHUP', onHangup)
  }
}

async function load(flags: FlagValues, log: Log): Promise<Config> {
  const { config, notes } = await loadConfig(flags)
  for (const note of notes) log('info', note)
  return config
}
