// SPDX-License-Identifier: Apache-2.0
/** `maglane`: finds the command, runs it, turns errors into an exit status. */

import process from 'node:process'
import { packageVersion } from '../agent/version.ts'
import { type Command, type Io, UsageError } from './command.ts'
import { commandNames, loadCommand } from './commands.ts'
import { describeError } from './describe-error.ts'
import { commandHelp, programHelp } from './help.ts'
import { commonOptions, parseCommand } from './parse.ts'
import { processIo } from './process-io.ts'

const EXIT_FAILED = 1
const EXIT_USAGE = 2

/** @param words the command line after the program's name. @returns the exit status. */
export async function main(words: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = words
  try {
    if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
      const target = name === 'help' ? rest[0] : undefined
      return await (target === undefined ? help(io) : dispatch(target, ['--help'], io))
    }
    if (name === '--version' || name === 'version') return version(io)
    return await dispatch(name, rest, io)
  } catch (error) {
    io.stderr(`maglane: ${describeError(error, io.env.MAGLANE_DEBUG !== undefined)}\n`)
    if (!(error instanceof UsageError)) return EXIT_FAILED
    io.stderr(`Try: maglane ${name !== undefined && commandNames.includes(name) ? `${name} ` : ''}--help\n`)
    return EXIT_USAGE
  }
}

async function dispatch(name: string, words: readonly string[], io: Io): Promise<number> {
  const command = await loadCommand(name)
  if (command === undefined) throw new UsageError(`unknown command "${name}"`)
  const { help: wanted, ...args } = parseCommand(command, words)
  if (wanted) {
    io.stdout(commandHelp(command, { ...command.options, ...commonOptions }))
    return 0
  }
  return (await command.run(args, io)) ?? 0
}

async function help(io: Io): Promise<number> {
  const commands = await Promise.all(
    commandNames.map(async (name) => [name, (await loadCommand(name)) as Command] as const),
  )
  io.stdout(programHelp(commands))
  return 0
}

function version(io: Io): number {
  io.stdout(`maglane ${packageVersion()}\n`)
  return 0
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2), processIo())
