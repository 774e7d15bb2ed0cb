// SPDX-License-Identifier: Apache-2.0
/** Plays a story in a lab of its own: asserts each step, and gives what a reader would have seen. */

import { readFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseManifestObjects } from '../lab/examples.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { run } from '../lab/run.ts'
import { until } from '../lab/until.ts'
import type { CommandStep, EditStep, Step, Story } from './story.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
export const tutorialExamples = join(root, 'examples/tutorial')

/** How long agents, DNS and probes may take for what is to happen eventually. */
const EVENTUALLY_MS = 10_000

/** What a reader sees of a step. */
export interface Scene {
  readonly say: string
  readonly kind: 'console' | 'yaml' | 'diff'
  readonly text: string
}

/** A step did not go as the story tells: the message holds the command and its output. */
export class StoryError extends Error {
  readonly code = 'STORY_FAILED'
  constructor(what: string, cause: unknown) {
    super(`${what}\n${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = 'StoryError'
  }
}

/** Rejects with a {@link StoryError} at the first step that fails; the lab is taken down in any case. */
export async function runStory(story: Story): Promise<Scene[]> {
  await using lab = await createLab({ dns: true })
  await story.prepare?.(lab)
  const stage = new Stage(lab)
  const scenes: Scene[] = []
  for (const step of story.steps) {
    const scene = await stage.play(step)
    scenes.push({ ...scene, text: scene.text.replaceAll(lab.name, 'LAB') })
  }
  return scenes
}

class Stage {
  readonly #lab: Lab
  /** Files as they stand after the edits. */
  readonly #files = new Map<string, string>()

  constructor(lab: Lab) {
    this.#lab = lab
  }

  async play(step: Step): Promise<Scene> {
    const say = step.say ?? ''
    if ('run' in step) return { say, kind: 'console', text: await this.#command(step) }
    if ('act' in step) return { say, kind: 'console', text: await step.act(this.#lab) }
    if ('edit' in step) return { say, kind: 'diff', text: await this.#edit(step) }
    const text = await readFile(join(tutorialExamples, step.apply), 'utf8')
    await this.#apply(step.apply, text)
    return { say, kind: 'yaml', text: `# examples/tutorial/${step.apply}\n${text}` }
  }

  async #apply(file: string, text: string): Promise<void> {
    const before = this.#files.get(file)
    const known = before === undefined ? [] : parseManifestObjects(file, before).map((object) => JSON.stringify(object))
    this.#files.set(file, text)
    // Applying what did not change would start a Pod a second time.
    const changed = parseManifestObjects(file, text).filter((object) => !known.includes(JSON.stringify(object)))
    await this.#lab.apply(...changed)
  }

  async #edit({ edit, from, to, during }: EditStep): Promise<string> {
    const text = this.#files.get(edit)
    if (text === undefined || text.split(from).length !== 2)
      throw new StoryError(`${edit} does not hold exactly once: ${from}`, 'nothing was changed')
    const change = () => this.#apply(edit, text.replace(from, to))
    const said = during === undefined ? await change() : await during(this.#lab, change)
    const lines = [...signed('-', from), ...signed('+', to)]
    return `${lines.join('\n')}\n${said === undefined ? '' : `\n${said}`}`
  }

  async #command(step: CommandStep): Promise<string> {
    const { at, expect, eventually } = step
    const attempt = async (): Promise<string> => {
      const output = await this.#output(step)
      try {
        expect(output)
      } catch (error) {
        throw new StoryError(`${at}$ ${step.run}\n${output}`, error)
      }
      return output
    }
    const what = `${at} sees what the story tells`
    const output = eventually ? await until(what, async () => [await attempt()], EVENTUALLY_MS) : [await attempt()]
    return `${at === 'operator' ? '' : at}$ ${step.run}\n${output[0]}`
  }

  async #output({ at, run: text }: CommandStep): Promise<string> {
    const command = text.replaceAll('LAB', this.#lab.name)
    const path = [join(root, 'bin'), dirname(process.execPath), process.env.PATH].join(delimiter)
    const env = { ...process.env, PATH: path }
    const { stdout, stderr } =
      at === 'operator'
        ? await run(['sh', '-c', `cd "$0" && ${command}`, this.#lab.folder], { env })
        : await this.#lab.exec(at, ['sh', '-c', command], { env })
    return stdout + stderr
  }
}

function signed(sign: string, text: string): string[] {
  return text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => `${sign}${line}`)
}
