// SPDX-License-Identifier: Apache-2.0
/** Turns the status of a native call into a value or an error that says which call failed, on what, and why. */

import { constants } from 'node:os'
import { getSystemErrorMessage } from 'node:util'
import koffi from 'koffi'

/** An address in this process, or null. koffi represents pointers as bigint. */
export type Pointer = bigint | null

const nameOf = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]))

/** errno numbers that callers compare with. */
export const Errno = constants.errno

/** ENOTSUPP is the kernel's own and never meant for user space; libbpf numbers its errors from 4000 (libbpf.h). */
const otherErrors: Readonly<Record<number, readonly [name: string, message: string]>> = {
  524: ['ENOTSUPP', 'operation not supported'],
  4000: ['LIBELF', 'libelf failed'],
  4001: ['FORMAT', 'not a BPF object'],
  4002: ['KVERSION', 'incorrect or no kernel version'],
  4003: ['ENDIAN', 'object of another byte order'],
  4004: ['INTERNAL', 'internal error of libbpf'],
  4005: ['RELOC', 'relocation failed'],
  4006: ['LOAD', 'the kernel refused the program'],
  4007: ['VERIFY', 'the verifier refused the program'],
  4008: ['PROG2BIG', 'program too big'],
  4009: ['KVER', 'incorrect kernel version'],
  4010: ['PROGTYPE', 'the kernel does not know the program type'],
}

/** A native call that failed. `code` is the errno's name (`ENOENT`), as in Node's own system errors. */
export class NativeError extends Error {
  override readonly name = 'NativeError'
  readonly code: string
  /** Positive, as in errno.h. */
  readonly errno: number
  /** The C function that failed. */
  readonly operation: string

  constructor(operation: string, errno: number, context: string) {
    const [code, reason] = describeErrno(errno)
    super(`${operation} failed for ${context}: ${code} (${reason})`)
    this.code = code
    this.errno = errno
    this.operation = operation
  }
}

function describeErrno(errno: number): readonly [code: string, reason: string] {
  const own = otherErrors[errno]
  if (own) return own
  const code = nameOf.get(errno) ?? `E${errno}`
  return [code, nameOf.has(errno) ? getSystemErrorMessage(-errno) : 'unknown error']
}

/**
 * Returns the status when it is none of failure, else throws a {@link NativeError}. Failure is a negative number, which
 * is -errno (libbpf 1.x), or a null pointer, where errno holds the reason.
 *
 * @param context What the call was about, for people: `map frontends`.
 */
export function check(operation: string, status: number, context: string): number
export function check(operation: string, status: Pointer, context: string): bigint
export function check(operation: string, status: number | Pointer, context: string): number | bigint {
  if (status === null) throw new NativeError(operation, koffi.errno(), context)
  if (typeof status === 'number' && status < 0) throw new NativeError(operation, -status, context)
  return status
}

/** True when `error` is a native failure with one of these errno names. */
export function isNativeError(error: unknown, ...codes: readonly string[]): error is NativeError {
  return error instanceof NativeError && (codes.length === 0 || codes.includes(error.code))
}
