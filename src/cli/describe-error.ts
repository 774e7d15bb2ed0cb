// SPDX-License-Identifier: Apache-2.0
/** An error in the words of the command line. */

/** The message and those of its causes, each said once and the shorter way; with `debug` the stack. */
export function describeError(error: unknown, debug: boolean): string {
  if (debug && error instanceof Error) return error.stack ?? error.message
  const messages: string[] = []
  for (let at = error; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
    const message = at instanceof Error ? at.message : String(at)
    if (!messages.some((said) => said.includes(message) || message.startsWith(said))) messages.push(message)
  }
  return messages.join(': ')
}
