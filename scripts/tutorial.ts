// SPDX-License-Identifier: Apache-2.0
/**
 * Plays the tutorial's stories and writes docs/tutorial.md. `--check` writes nothing, and fails when the file differs in
 * more than what is local to a run. `--story N` plays one story and prints it. Needs root.
 */

import { readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import process from 'node:process'
import { argv, chalk } from 'zx'
import { formatTranscript, type PlayedStory } from '../src/tutorial/format-transcript.ts'
import { normalizeTranscript } from '../src/tutorial/normalize-transcript.ts'
import { runStory } from '../src/tutorial/run-story.ts'
import { stories } from '../src/tutorial/stories.ts'

process.chdir(dirname(import.meta.dirname))
const output = 'docs/tutorial.md'
const wanted = stories.filter(({ number }) => argv.story === undefined || argv.story === number)
const played: PlayedStory[] = []
for (const story of wanted) {
  console.error(`${story.number}. ${story.title}`)
  played.push({ story, scenes: await runStory(story) })
}
const text = formatTranscript(played)

if (argv.story !== undefined) {
  process.stdout.write(text)
} else if (argv.check !== true) {
  await writeFile(output, text)
} else {
  const difference = firstDifference(normalizeTranscript(await readFile(output, 'utf8')), normalizeTranscript(text))
  if (difference !== undefined) {
    console.error(chalk.red(`${output} is stale: run node scripts/tutorial.ts\n${difference}`))
    process.exitCode = 1
  }
}

/** Both versions of the first line that differs, with its number. */
function firstDifference(before: string, after: string): string | undefined {
  const [old, now] = [before.split('\n'), after.split('\n')]
  const line = Array.from({ length: Math.max(old.length, now.length) }).findIndex((_, at) => old[at] !== now[at])
  return line === -1 ? undefined : `line ${line + 1}\n-${old[line] ?? ''}\n+${now[line] ?? ''}`
}
