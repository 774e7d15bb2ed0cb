// SPDX-License-Identifier: Apache-2.0
/** Endpoints written by hand, for servers that are no Pods. */

import { outsideClient, outsideClient2 } from '../../lab/address-plan.ts'
import { startOutsideServer } from '../outside-server.ts'
import { shows } from '../seen.ts'
import type { Story } from '../story.ts'

export const withoutSelector: Story = {
  number: 6,
  title: 'Without a selector: servers outside of the cluster',
  about:
    'A Service without a selector has the endpoints that somebody writes for it: an EndpointSlice, or Endpoints, the older kind. ' +
    'Outside, two servers that are no Pods listen at 198.51.100.10 and 198.51.100.11, port 9000.',
  prepare: async (lab) => {
    await startOutsideServer(lab, 'database', outsideClient.ipv4, 9000)
    await startOutsideServer(lab, 'archive', outsideClient2.ipv4, 9000)
  },
  steps: [
    { apply: '06-without-selector.yaml' },
    {
      at: 'operator',
      run: 'maglane get endpoints -m manifests',
      expect: shows(/^database +198\.51\.100\.10:9000 /m, /^archive +198\.51\.100\.11:9000 /m),
    },
    {
      at: 'operator',
      run: 'maglane get endpointslices -m manifests',
      expect: shows(
        /^archive-by-hand +IPv4 +9000 +198\.51\.100\.11 /m,
        /^database-\S+ +IPv4 +9000 +198\.51\.100\.10 /m,
      ),
    },
    {
      say: 'Pods call them by the Service’s name and port.',
      at: 'client-a',
      run: 'curl -s http://database/',
      expect: shows('Hostname: database', 'Node: outside', 'Port: 9000/TCP'),
      eventually: true,
    },
    {
      at: 'client-a',
      run: 'curl -s http://archive/',
      expect: shows('Hostname: archive', 'Node: outside'),
      eventually: true,
    },
  ],
}
