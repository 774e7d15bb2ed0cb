// SPDX-License-Identifier: Apache-2.0
/** Services that are no more than another name. */

import { fileURLToPath } from 'node:url'
import { outsideClient } from '../../lab/address-plan.ts'
import { dnsPod } from '../../lab/dns-service.ts'
import { resolve } from '../commands.ts'
import { startOutside, startOutsideServer } from '../outside-server.ts'
import { says, shows } from '../seen.ts'
import type { Story } from '../story.ts'

const outsideDns = fileURLToPath(new URL('../outside-dns.ts', import.meta.url))

export const externalName: Story = {
  number: 8,
  title: 'ExternalName: another name',
  about:
    'A Service of type ExternalName has neither address nor endpoints: its name leads to another one (CNAME), outside or in another ' +
    'namespace. Outside, a DNS server knows www.example.com, and the cluster’s DNS asks it for what it does not know.',
  prepare: async (lab) => {
    await startOutside(lab, [process.execPath, outsideDns, outsideClient.ipv4, 'www.example.com'])
    await startOutsideServer(lab, 'www', outsideClient.ipv4, 80)
    await lab.pods.remove('kube-system.kube-dns-1')
    await lab.pods.create([dnsPod(lab.manifests, 'node-a', [outsideClient.ipv4])])
  },
  steps: [
    { apply: '08-external-name.yaml' },
    {
      at: 'operator',
      run: 'maglane get services -A -m manifests',
      expect: shows(
        /^default +partner +ExternalName +<none> +www\.example\.com +<none>/m,
        /^platform +search +ClusterIP/m,
      ),
    },
    {
      at: 'client-a',
      run: resolve('Cname', 'partner.default.svc.cluster.local'),
      expect: says("[ 'www.example.com' ]"),
      eventually: true,
    },
    {
      at: 'client-a',
      run: 'getent hosts partner',
      expect: shows(/^198\.51\.100\.10 +www\.example\.com/),
      eventually: true,
    },
    { at: 'client-a', run: 'curl -s http://partner/', expect: shows('Hostname: www', 'Node: outside') },
    {
      say: 'The other one leads to a Service of the namespace `platform`.',
      at: 'client-a',
      run: 'getent hosts search',
      expect: shows(/^10\.96\.\S+ +search\.platform\.svc\.cluster\.local/),
      eventually: true,
    },
    {
      at: 'client-a',
      run: 'curl -s http://search/ | grep Hostname',
      expect: says('Hostname: search-1'),
      eventually: true,
    },
  ],
}
