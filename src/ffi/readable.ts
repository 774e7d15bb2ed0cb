// SPDX-License-Identifier: Apache-2.0
/** Waits until a file descriptor can be read, on the event loop and without a thread. */

import koffi from 'koffi'

/**
 * Yields each time `fd` is readable, and ends when `signal` aborts. What can be read must be read to its end before
 * the next turn, else the next turn comes at once. The descriptor stays the caller's to close, after the end.
 */
export async function* readable(fd: number, signal: AbortSignal): AsyncGenerator<undefined, void, undefined> {
  while (!signal.aborted) {
    await new Promise<void>((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done)
        handle.close()
        resolve()
      }
      const handle = koffi.node.poll(fd, { readable: true, disconnect: true }, done)
      signal.addEventListener('abort', done, { once: true })
    })
    if (!signal.aborted) yield
  }
}
