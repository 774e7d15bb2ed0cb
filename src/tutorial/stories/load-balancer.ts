// SPDX-License-Identifier: Apache-2.0
/** Addresses from outside: those of a load balancer, and those that an owner of the network routes to a node. */

import { countAnswers } from '../commands.ts'
import { answeredBy, shows } from '../seen.ts'
import type { Story } from '../story.ts'

const file = '03-load-balancer.yaml'

export const loadBalancer: Story = {
  number: 3,
  title: 'LoadBalancer and externalIPs: addresses of one’s own',
  about:
    'Who provides load balancers writes the address into the status of the Service. Without a provider it stays `<pending>`. ' +
    'The lab’s network routes 203.0.113.0/26 to node-a.',
  steps: [
    { apply: file },
    {
      at: 'operator',
      run: 'maglane get services -m manifests',
      expect: shows(
        /^site +LoadBalancer +\S+ +<pending> +80:30783\/TCP/m,
        /^site-by-owner +ClusterIP +\S+ +203\.0\.113\.41 /m,
      ),
    },
    {
      say: 'It is a NodePort Service all the same.',
      at: 'outside',
      run: countAnswers('http://172.18.0.11:30783/', 24),
      expect: answeredBy('site-1', 'site-2'),
      eventually: true,
    },
    {
      say: 'What a provider would do.',
      edit: file,
      from: '  loadBalancer: {}\n',
      to: '  loadBalancer:\n    ingress:\n      - ip: 203.0.113.40\n',
    },
    {
      at: 'operator',
      run: 'maglane get service site -m manifests',
      expect: shows(/^site +LoadBalancer +\S+ +203\.0\.113\.40 +80:30783\/TCP/m),
    },
    {
      at: 'outside',
      run: countAnswers('http://203.0.113.40/', 24),
      expect: answeredBy('site-1', 'site-2'),
      eventually: true,
    },
    {
      say: 'The other Service has no type LoadBalancer, but an address in `externalIPs`.',
      at: 'outside',
      run: countAnswers('http://203.0.113.41/', 24),
      expect: answeredBy('site-1', 'site-2'),
      eventually: true,
    },
    {
      say: 'Pods of the cluster reach both, too.',
      at: 'client-b',
      run: countAnswers('http://203.0.113.40/ http://203.0.113.41/', 20),
      expect: answeredBy('site-1', 'site-2'),
    },
  ],
}
