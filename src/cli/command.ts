// SPDX-License-Identifier: Apache-2.0
/** What a command of the command line is: its words for `--help`, its options, and what it does. */

/** An option as node:util's parseArgs takes it, with what `--help` says of it. */
export interface Option {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  /** May be given several times; the value is an array. */
  readonly multiple?: boolean
  readonly default?: string | boolean | string[]
  /** The value's name in `--help`, in capitals: `DIR`. */
  readonly placeholder?: string
  readonly description: string
}

export type Options = Readonly<Record<string, Option>>

type Value<O extends Option> = O['type'] extends 'boolean' ? boolean : O['multiple'] extends true ? string[] : string

/** The parsed values of a command's options: undefined where one was not given and has no default. */
export type Values<O extends Options> = {
  readonly [K in keyof O]: O[K] extends { readonly default: string | boolean | string[] }
    ? Value<O[K]>
    : Value<O[K]> | undefined
}

/** `wide` is text with more columns, where a command has them. */
export type OutputFormat = 'text' | 'json' | 'wide'

export interface Args<O extends Options = Options> {
  readonly values: Values<O>
  readonly positionals: readonly string[]
  /** `-o`, which every command takes. */
  readonly output: OutputFormat
}

/** The world outside, as a command sees it. */
export interface Io {
  readonly stdin: AsyncIterable<string | Uint8Array>
  /** Results: what a pipe reads. */
  readonly stdout: (text: string) => void
  /** Everything else. */
  readonly stderr: (text: string) => void
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted by SIGINT, SIGTERM, and when nobody reads standard output any more. */
  readonly signal: AbortSignal
  /** Standard output is a terminal. */
  readonly terminal: boolean
}

export interface Command<O extends Options = Options> {
  /** One line, without a full stop. */
  readonly summary: string
  /** What follows `maglane`: `get WHAT [--instance NAME]`. */
  readonly usage: string
  /** Paragraphs under the usage line. */
  readonly description?: string
  readonly options: O
  /** What `-o` takes besides text and json. */
  readonly formats?: readonly OutputFormat[]
  readonly examples: readonly { readonly command: string; readonly does: string }[]
  /** @returns the exit status; nothing is 0. @throws UsageError (status 2), any other error is status 1. */
  run(args: Args<O>, io: Io): Promise<number | undefined>
}

/** Keeps the option types of a command written as a literal. */
export function defineCommand<const O extends Options>(command: Command<O>): Command<O> {
  return command
}

/** The command line itself is wrong; `maglane` answers with a hint at `--help`. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'E_USAGE'
}
