// SPDX-License-Identifier: Apache-2.0
/** The tutorial, story by story: what it shows is so. */

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { formatTranscript } from '../../src/tutorial/format-transcript.ts'
import { normalizeTranscript } from '../../src/tutorial/normalize-transcript.ts'
import { runStory } from '../../src/tutorial/run-story.ts'
import { stories } from '../../src/tutorial/stories.ts'
import { skipWithoutRoot } from './skip.ts'

const written = normalizeTranscript(await readFile(new URL('../../docs/tutorial.md', import.meta.url), 'utf8'))

describe('the tutorial', { ...skipWithoutRoot, concurrency: 2 }, () => {
  for (const story of stories) {
    test(`${story.number}. ${story.title}`, async () => {
      const scenes = await runStory(story)
      const played = normalizeTranscript(formatTranscript([{ story, scenes }]))
      const heading = `## ${story.number}. `
      assert.equal(
        section(played, heading),
        section(written, heading),
        'docs/tutorial.md: run node scripts/tutorial.ts',
      )
    })
  }
})

/** From a heading to the next of its level. */
function section(text: string, heading: string): string {
  return (
    text
      .split(/^(?=## )/m)
      .find((part) => part.startsWith(heading))
      ?.trimEnd() ?? ''
  )
}
