// SPDX-License-Identifier: Apache-2.0
/** Runs one task at a time: the first request at once, those that come while it runs as one. */

export class Coalescer {
  readonly #task: () => Promise<void>
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(task: () => Promise<void>) {
    this.#task = task
  }

  /** Resolves when a run that began after this call has ended; rejects when that run fails. */
  request(): Promise<void> {
    if (this.#running === undefined) {
      const run = this.#run()
      return run
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        return this.#run()
      })
    return this.#next
  }

  #run(): Promise<void> {
    const run = this.#task().finally(() => {
      if (this.#running === run) this.#running = undefined
    })
    this.#running = run
    return run
  }
}
