// SPDX-License-Identifier: Apache-2.0
/** Opens shared libraries of the system, at the first call into them. */

import koffi from 'koffi'

type TypeSpec = Parameters<typeof koffi.sizeof>[0]

/** A system library that cannot be opened. */
export class LibraryError extends Error {
  override readonly name = 'LibraryError'
  readonly code = 'E_LIBRARY'
}

/** Declares one C function: name, result, arguments in koffi's type names. A Uint8Array stands for `void *` in place. */
export type Bind = <F extends (...args: never[]) => unknown>(
  name: string,
  result: TypeSpec,
  args: readonly TypeSpec[],
) => F

/**
 * Makes a getter of a library's functions. Nothing is opened before the first call of the getter, so that pure code
 * can import modules that stand on it where the library is missing.
 *
 * @param remedy What to install, for the error message.
 */
export function library<T>(file: string, remedy: string, declare: (bind: Bind) => T): () => T {
  let functions: T | undefined
  return () => {
    functions ??= declare(opened(file, remedy))
    return functions
  }
}

function opened(file: string, remedy: string): Bind {
  try {
    const handle = koffi.load(file)
    return ((name, result, args) => handle.func(name, result, [...args])) as Bind
  } catch (cause) {
    throw new LibraryError(`Cannot open ${file}: ${remedy}`, { cause })
  }
}
