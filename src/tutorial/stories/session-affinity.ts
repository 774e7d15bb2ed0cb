// SPDX-License-Identifier: Apache-2.0
/** One client, one backend. */

import assert from 'node:assert/strict'
import { shows } from '../seen.ts'
import type { Story } from '../story.ts'

const bothPorts = 'http://172.18.0.11:30784/ http://172.18.0.11:30785/'
const distinct = (how: string) => `for i in $(seq 10); do curl -s ${how}; done | grep ^Hostname | sort -u`

/** The backends of the two clients outside. */
const chosen = new Map<string, string>()

function one(client: string): (output: string) => void {
  return (output) => {
    assert.match(output, /^Hostname: cart-\d\n$/)
    chosen.set(client, output)
  }
}

export const sessionAffinity: Story = {
  number: 4,
  title: 'sessionAffinity: one client, one backend',
  about:
    '`sessionAffinity: ClientIP` sends a client to the backend that it had before: on every port of the Service, for three ' +
    'hours after its last packet unless `timeoutSeconds` says otherwise.',
  steps: [
    { apply: '04-session-affinity.yaml' },
    {
      at: 'operator',
      run: 'maglane describe service cart -m manifests | grep -e Port -e Affinity',
      expect: shows(/^Session Affinity: +ClientIP$/m, /^NodePort: +http +30784\/TCP$/m),
    },
    {
      say: 'Ten rounds of calls from a Pod, each over both ports: one backend.',
      at: 'client-a',
      run: `${distinct('http://cart/ http://cart:443/')} | wc -l`,
      expect: (output) => assert.equal(output.trim(), '1'),
      eventually: true,
    },
    {
      say: 'A client outside, over both NodePorts.',
      at: 'outside',
      run: distinct(`--interface 198.51.100.10 ${bothPorts}`),
      expect: one('first'),
      eventually: true,
    },
    {
      say: 'Another client, another backend.',
      at: 'outside',
      run: distinct(`--interface 198.51.100.11 ${bothPorts}`),
      expect: (output) => {
        one('second')(output)
        assert.notEqual(chosen.get('second'), chosen.get('first'))
      },
    },
    {
      say: 'What the node remembers.',
      at: 'operator',
      run: 'maglane get affinities cart --instance LAB-node-a | grep 198.51 | sort',
      expect: shows('198.51.100.10', '198.51.100.11'),
    },
  ],
}
