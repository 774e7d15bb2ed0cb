// SPDX-License-Identifier: Apache-2.0
/** What a story of the tutorial is made of: data that one runner plays in a lab, asserts and writes down. */

import type { Lab, Where } from '../lab/lab.ts'

/** Where a command is typed: `operator` is whoever looks after the folder of manifests, outside of the lab's machines. */
export type Seat = Where | 'operator'

interface Told {
  /** Markdown before the step; none joins the step to the one before. */
  readonly say?: string
}

export interface CommandStep extends Told {
  readonly at: Seat
  /** For a POSIX shell; `LAB` stands for the lab's name, and is what the reader sees. */
  readonly run: string
  /** Throws when the output, standard error included, is not what the story tells. */
  readonly expect: (output: string) => void
  /** The step follows a change that agents and DNS still have to read: repeated until the output is as expected. */
  readonly eventually?: true
}

/** Objects of a file of examples/tutorial are applied. */
export interface ApplyStep extends Told {
  readonly apply: string
}

/** A text in a file that was applied is replaced by another, and the file applied again. */
export interface EditStep extends Told {
  readonly edit: string
  readonly from: string
  readonly to: string
  /** Does the change in the midst of something else, and gives lines for the reader. */
  readonly during?: (lab: Lab, change: () => Promise<void>) => Promise<string>
}

/** Something that is no command; gives lines for the reader. */
export interface ActStep extends Told {
  readonly act: (lab: Lab) => Promise<string>
}

export type Step = CommandStep | ApplyStep | EditStep | ActStep

export interface Story {
  /** Of the file of manifests, too. */
  readonly number: number
  readonly title: string
  /** Markdown. */
  readonly about: string
  /** What stands outside before the first step. */
  readonly prepare?: (lab: Lab) => Promise<void>
  readonly steps: readonly Step[]
}
