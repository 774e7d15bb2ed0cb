// SPDX-License-Identifier: Apache-2.0
/** Names without a virtual address: each ready Pod answers for itself. */

import { says, shows } from '../seen.ts'
import type { Story } from '../story.ts'

const file = '09-headless.yaml'
const listen = `node -e 'http.createServer((ask, answer) => answer.end()).listen(8081)' >/dev/null 2>&1 & echo listening`
const addresses = "getent ahostsv4 peers | grep STREAM | cut -d' ' -f1 | sort"

export const headless: Story = {
  number: 9,
  title: 'Headless: the Pods themselves',
  about:
    'With `clusterIP: None` nothing is translated: the name has the addresses of the ready Pods, and clients choose. Ready is who ' +
    'passes the readiness probe.',
  steps: [
    { apply: file },
    {
      at: 'operator',
      run: 'maglane get services -m manifests',
      expect: shows(/^peers +ClusterIP +None +<none> +8080\/TCP/m),
    },
    {
      say: 'Two of the Pods run, but their probes find nobody.',
      at: 'operator',
      run: 'maglane get pods -m manifests -o wide',
      expect: shows(/^first +1\/1 +Running/m, /^second +0\/1 +Running/m, /^third +0\/1 +Running/m),
    },
    { at: 'client-a', run: addresses, expect: shows(/^10\.244\.\d\.\d+\n$/), eventually: true },
    {
      say: 'Now somebody answers at port 8081 of the second Pod: at its next probe it turns ready, and appears.',
      at: 'second',
      run: listen,
      expect: says('listening'),
    },
    { at: 'client-a', run: addresses, expect: shows(/^10\.244\.\d\.\d+\n10\.244\.\d\.\d+\n$/), eventually: true },
    {
      at: 'operator',
      run: 'maglane get pods -m manifests',
      expect: shows(/^first +1\/1 +Running/m, /^second +1\/1 +Running/m, /^third +0\/1 +Running/m),
    },
    {
      say: 'Pods with a hostname, and the Service as their subdomain, have a name each.',
      at: 'client-a',
      run: 'getent hosts one.peers two.peers',
      expect: shows('  one.peers.default.svc.cluster.local\n', '  two.peers.default.svc.cluster.local\n'),
    },
    {
      at: 'client-a',
      run: 'curl -s http://two.peers:8080/',
      expect: shows('Hostname: second', 'Port: 8080/TCP'),
    },
    {
      say: 'Who has to find its peers before it can be ready itself asks for all of them.',
      edit: file,
      from: '  publishNotReadyAddresses: false',
      to: '  publishNotReadyAddresses: true',
    },
    { at: 'client-a', run: addresses, expect: shows(/^(10\.244\.\d\.\d+\n){3}$/), eventually: true },
  ],
}
