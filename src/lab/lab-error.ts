// SPDX-License-Identifier: Apache-2.0
/** The lab's own errors. */

/** What went wrong, for programs; the message says it for people. */
export type LabErrorCode =
  /** A command of the system failed: the message holds its last lines. */
  | 'LAB_COMMAND_FAILED'
  /** No such node, pod or workload. */
  | 'LAB_NOT_FOUND'
  /** A condition did not come true in time. */
  | 'LAB_TIMEOUT'
  /** The machine lacks something that the lab needs. */
  | 'LAB_UNSUPPORTED'
  /** An agent or a pod's server ended before it was ready. */
  | 'LAB_PROCESS_ENDED'
  /** An object that the lab cannot run. */
  | 'LAB_BAD_OBJECT'

export class LabError extends Error {
  readonly code: LabErrorCode

  constructor(code: LabErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LabError'
    this.code = code
  }
}
