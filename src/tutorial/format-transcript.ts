// SPDX-License-Identifier: Apache-2.0
/** The stories as Markdown. */

import type { Scene } from './run-story.ts'
import type { Story } from './story.ts'

const head = `# Services, told by running them

Written by \`node scripts/tutorial.ts\`, which plays every story in the lab and asserts what it shows; do not edit. The lab is a
small cluster in network namespaces of one machine: \`node-a\` (172.18.0.11) and \`node-b\` (172.18.0.12), a client Pod on each
(\`client-a\`, \`client-b\`), and a machine outside (198.51.100.10). There is no API server: agents and DNS follow the
folder \`manifests\`, and the lab does what scheduler and kubelets would.

\`$\` is the prompt of whoever looks after the folder; any other prompt names the Pod, node or machine where the command
runs. \`LAB\` stands for the lab's name. Each story begins in a fresh lab. To try it yourself: \`bin/maglane lab --keep\`, then
\`bin/maglane lab exec LAB client-a -- COMMAND\`.
`

export interface PlayedStory {
  readonly story: Story
  readonly scenes: readonly Scene[]
}

export function formatTranscript(played: readonly PlayedStory[]): string {
  return [head, ...played.map(formatStory)].join('\n')
}

function formatStory({ story, scenes }: PlayedStory): string {
  const parts = [`## ${story.number}. ${story.title}\n\n${story.about}\n`]
  let open: Scene | undefined
  for (const { say, kind, text } of scenes) {
    const joined = open !== undefined && say === '' && open.kind === kind
    if (!joined) {
      if (open !== undefined) parts.push('```\n')
      if (say !== '') parts.push(`\n${say}\n`)
      parts.push(`\n\`\`\`${kind}\n`)
    }
    parts.push(text.endsWith('\n') ? text : `${text}\n`)
    open = { say, kind, text }
  }
  return `${parts.join('')}\`\`\`\n`
}
