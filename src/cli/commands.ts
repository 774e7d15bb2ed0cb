// SPDX-License-Identifier: Apache-2.0
/** The table of commands. Each is a module of its own, loaded when it is called. */

import type { Command, Options } from './command.ts'

// biome-ignore lint/suspicious/noExplicitAny: each command's options have a type of their own, checked where it is defined
type AnyCommand = Command<any>

/** In the order of `--help`. */
const loaders: Readonly<Record<string, () => Promise<{ readonly command: AnyCommand }>>> = {
  agent: () => import('./agent.ts'),
  lab: () => import('./lab.ts'),
  get: () => import('./get.ts'),
  describe: () => import('./describe.ts'),
  status: () => import('./status.ts'),
  doctor: () => import('./doctor.ts'),
  monitor: () => import('./monitor.ts'),
  trace: () => import('./trace.ts'),
  compile: () => import('./compile.ts'),
  diff: () => import('./diff.ts'),
  dns: () => import('./dns.ts'),
  env: () => import('./env.ts'),
  cleanup: () => import('./cleanup.ts'),
}

export const commandNames: readonly string[] = Object.keys(loaders)

/** @returns undefined where there is no such command. */
export async function loadCommand(name: string): Promise<Command<Options> | undefined> {
  const load = Object.hasOwn(loaders, name) ? loaders[name] : undefined
  return (await load?.())?.command
}
