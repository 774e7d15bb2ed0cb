// SPDX-License-Identifier: Apache-2.0
/** The text of `--help`, of the program and of a command. */

import type { Command, Option, Options } from './command.ts'
import { formatColumns } from './table.ts'

/** `maglane --help`. */
export function programHelp(commands: readonly (readonly [name: string, command: Command])[]): string {
  return [
    'Kubernetes Services in eBPF, on any CNI.',
    '',
    'Usage: maglane COMMAND [OPTIONS]',
    '',
    'Commands:',
    indent(formatColumns(commands.map(([name, { summary }]) => [name, summary]))),
    '',
    'Every command takes -o json, and --help for its options and examples.',
    '',
  ].join('\n')
}

/** `maglane COMMAND --help`; `options` are the command's with those that every command takes. */
export function commandHelp(command: Command, options: Options): string {
  const lines = [`${command.summary}.`, '', `Usage: maglane ${command.usage}`]
  if (command.description !== undefined) lines.push('', command.description)
  lines.push('', 'Options:', indent(formatColumns(Object.entries(options).map(optionRow))))
  if (command.examples.length > 0) {
    lines.push('', 'Examples:')
    for (const { command: line, does } of command.examples) lines.push(`  # ${does}`, `  ${line}`)
  }
  return `${lines.join('\n')}\n`
}

function optionRow([name, option]: [string, Option]): string[] {
  const short = option.short === undefined ? '    ' : `-${option.short}, `
  const value = option.type === 'boolean' ? '' : ` ${option.placeholder ?? 'VALUE'}`
  const no = option.type === 'boolean' && option.default === true ? '[no-]' : ''
  return [`${short}--${no}${name}${value}`, `${option.description}${remark(option)}`]
}

function remark({ multiple, default: value }: Option): string {
  const remarks = []
  if (multiple === true) remarks.push('repeatable')
  const unset = value === undefined || value === false || (Array.isArray(value) && value.length === 0)
  if (!unset) remarks.push(`default: ${String(value)}`)
  return remarks.length === 0 ? '' : ` (${remarks.join(', ')})`
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}
