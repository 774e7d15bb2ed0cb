// SPDX-License-Identifier: Apache-2.0
/** Ports by name, which may differ from Pod to Pod, and move. */

import assert from 'node:assert/strict'
import { callWhile } from '../../lab/steady-calls.ts'
import { until } from '../../lab/until.ts'
import { clusterFrontend } from '../cluster-frontend.ts'
import { countAnswers } from '../commands.ts'
import { answeredAt, shows } from '../seen.ts'
import type { Story } from '../story.ts'

const file = '05-ports.yaml'

export const ports: Story = {
  number: 5,
  title: 'Ports: several, by name, and moving',
  about:
    'A Service’s port is what clients call; its target port is where Pods listen. By name it may be another number in every Pod.',
  steps: [
    { apply: file },
    {
      at: 'operator',
      run: 'maglane describe service blue -m manifests',
      expect: shows(/^TargetPort: +http\/TCP$/m, /:8080\b/, /:8181\b/, /:9090\b/, /:9191\b/),
    },
    {
      say: 'Each Pod is called where it listens.',
      at: 'client-a',
      run: countAnswers('http://blue/', 24, 'Port'),
      expect: answeredAt('8080/TCP', '8181/TCP'),
      eventually: true,
    },
    {
      at: 'client-a',
      run: countAnswers('http://blue:9100/', 24, 'Port'),
      expect: answeredAt('9090/TCP', '9191/TCP'),
    },
    {
      say: 'The target port moves while clients call: they notice nothing.',
      edit: file,
      from: '      targetPort: http\n',
      to: '      targetPort: http-next\n',
      during: async (lab, change) => {
        const frontend = await clusterFrontend(lab, 'default/blue')
        const callers = ['client-b', 'node-a', 'outside']
        const steady = await callWhile(lab, callers, [frontend], async () => {
          await change()
          await until('all calls reach the new port', async () => {
            for (let call = 0; call < 20; call++) {
              if ((await lab.request('client-a', frontend)).server.port !== 8000) return false
            }
            return true
          })
        })
        assert.deepEqual(steady.failed, [])
        return `# ${steady.calls} calls, none failed`
      },
    },
    { at: 'client-a', run: countAnswers('http://blue/', 24, 'Port'), expect: answeredAt('8000/TCP'), eventually: true },
  ],
}
