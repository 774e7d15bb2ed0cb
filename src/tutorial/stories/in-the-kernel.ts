// SPDX-License-Identifier: Apache-2.0
/** What stands in the kernel for one Service. */

import { countAnswers } from '../commands.ts'
import { answeredBy, shows } from '../seen.ts'
import type { Story } from '../story.ts'

export const inTheKernel: Story = {
  number: 11,
  title: 'In the kernel: what maglane writes',
  about:
    'kube-proxy’s iptables mode writes chains of rules, which every new connection walks. maglane writes an entry for each ' +
    'address and port, and a table of backends that is indexed by a hash.',
  steps: [
    { apply: '11-inside.yaml' },
    {
      at: 'client-a',
      run: countAnswers('http://inside/', 24),
      expect: answeredBy('inside-1', 'inside-2'),
      eventually: true,
    },
    {
      say: 'The frontends: the ClusterIP, and the NodePort on each address of the node.',
      at: 'operator',
      run: 'maglane get frontends inside --instance LAB-node-a',
      expect: shows(':30791', 'default/inside'),
    },
    {
      at: 'operator',
      run: 'maglane get backends inside --instance LAB-node-a',
      expect: shows(/10\.244\.1\.\d+:8080/, /10\.244\.2\.\d+:8080/),
    },
    {
      say: 'What becomes of a packet, by the programs themselves: nothing is sent.',
      at: 'operator',
      run:
        'maglane trace --instance LAB-node-a --cluster-cidr 10.244.0.0/16 --src 198.51.100.10:40000 --dst 172.18.0.11:30791 ' +
        '--proto tcp',
      expect: shows('default/inside', /forward/),
    },
  ],
}
