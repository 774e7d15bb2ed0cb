// SPDX-License-Identifier: Apache-2.0
/** From the words of the command line to a command's arguments. */

import { parseArgs } from 'node:util'
import { type Args, type Command, type Options, type OutputFormat, UsageError } from './command.ts'

const formats: readonly OutputFormat[] = ['text', 'json']

/** What every command takes. */
export const commonOptions = {
  output: { type: 'string', short: 'o', default: 'text', placeholder: 'text|json', description: 'How to print' },
  help: { type: 'boolean', short: 'h', default: false, description: 'This text' },
} as const satisfies Options

export interface ParsedCommand extends Args {
  readonly help: boolean
}

/** @throws UsageError for an unknown option, a missing value, an unknown format. */
export function parseCommand(command: Command, words: readonly string[]): ParsedCommand {
  const options = { ...command.options, ...commonOptions }
  const { values, positionals } = parse(words, options)
  const { output, help, ...rest } = values
  const allowed = [...formats, ...(command.formats ?? [])]
  const format = allowed.find((name) => name === output)
  if (format === undefined) throw new UsageError(`-o takes ${allowed.join(' or ')}, got "${String(output)}"`)
  return { values: rest as Args['values'], positionals, output: format, help: help === true }
}

function parse(words: readonly string[], options: Options) {
  try {
    return parseArgs({
      args: words.map((word) => toNegatable(word, options)),
      options: toParseArgs(options),
      allowPositionals: true,
      allowNegative: true,
    })
  } catch (error) {
    // parseArgs explains itself in several sentences; the first one names the option.
    const message = error instanceof Error ? error.message.split('. ')[0] : String(error)
    throw new UsageError(message, { cause: error })
  }
}

/** `--flag=true` and `--flag=false`, as kube-proxy takes them, in the words of parseArgs. */
function toNegatable(word: string, options: Options): string {
  const [, name = '', value] = /^--([^=]+)=(true|false)$/.exec(word) ?? []
  if (value === undefined || options[name]?.type !== 'boolean') return word
  return value === 'true' ? `--${name}` : `--no-${name}`
}

type ParseArgsOption = {
  type: 'string' | 'boolean'
  short?: string
  multiple?: boolean
  default?: string | boolean | string[]
}

function toParseArgs(options: Options): Record<string, ParseArgsOption> {
  return Object.fromEntries(
    Object.entries(options).map(([name, { description: _, placeholder: __, ...option }]) => [name, option]),
  )
}
