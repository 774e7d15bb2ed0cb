// SPDX-License-Identifier: Apache-2.0
/** A port on every node, and what externalTrafficPolicy changes. */

import { answeredBy, shows } from '../seen.ts'
import type { Story } from '../story.ts'

const file = '02-node-port.yaml'

export const nodePort: Story = {
  number: 2,
  title: 'NodePort: the same port on every node',
  about: 'A Service of type NodePort answers at a port of every node, also on those that run none of its Pods.',
  steps: [
    { apply: file },
    {
      say: 'The only Pod runs on node-b. One Service has the port that it asks for, the other one got a free one.',
      at: 'operator',
      run: 'maglane get services -m manifests',
      expect: shows(/^shop +NodePort .* 80:30780\/TCP/m, /^shop-anywhere +NodePort .* 80:30989\/TCP/m),
    },
    {
      say:
        'From outside, on the node with the Pod: the Pod sees the address of its client. On the other one: the node forwards, and ' +
        'puts its own address in place of the client’s, so that the answer comes back the same way.',
      at: 'outside',
      run: 'curl -s http://172.18.0.12:30780/',
      expect: shows('Hostname: shop-1', 'RemoteAddr: 198.51.100.10:'),
      eventually: true,
    },
    {
      at: 'outside',
      run: 'curl -s http://172.18.0.11:30780/',
      expect: shows('Hostname: shop-1', 'RemoteAddr: 172.18.0.11:'),
      eventually: true,
    },
    {
      say: 'The allocated port, on both nodes.',
      at: 'outside',
      run: 'for node in 172.18.0.11 172.18.0.12; do curl -s http://$node:30989/ | grep Hostname; done',
      expect: answeredBy('shop-1'),
      eventually: true,
    },
    {
      say: '`externalTrafficPolicy: Local` keeps to the Pods of the node that is asked.',
      edit: file,
      from: '  externalTrafficPolicy: Cluster',
      to: '  externalTrafficPolicy: Local',
    },
    {
      say: 'The node without a Pod gives no answer: the packet is dropped, as under kube-proxy.',
      at: 'outside',
      run: 'curl -sS --max-time 1 http://172.18.0.11:30780/',
      expect: shows(/timed out/),
      eventually: true,
    },
    {
      say: 'The one with the Pod answers, and the client’s own address is never hidden.',
      at: 'outside',
      run: 'curl -s http://172.18.0.12:30780/',
      expect: shows('Hostname: shop-1', 'RemoteAddr: 198.51.100.10:'),
    },
    {
      say: 'For Pods and nodes of the cluster the policy makes no difference.',
      at: 'client-a',
      run: 'curl -s http://172.18.0.11:30780/',
      expect: shows('Hostname: shop-1'),
    },
  ],
}
