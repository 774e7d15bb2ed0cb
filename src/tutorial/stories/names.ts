// SPDX-License-Identifier: Apache-2.0
/** How programs find Services: by DNS, and by environment variables. */

import assert from 'node:assert/strict'
import { resolve } from '../commands.ts'
import { says, shows } from '../seen.ts'
import type { Story } from '../story.ts'

const fullName = 'guide.default.svc.cluster.local'

export const names: Story = {
  number: 7,
  title: 'Names: DNS and environment',
  about:
    'Every Service has a name in DNS. In a Pod the search list of resolv.conf completes it: within the namespace the bare name is ' +
    'enough.',
  steps: [
    { apply: '07-names.yaml' },
    {
      at: 'client-a',
      run: 'cat /etc/resolv.conf',
      expect: shows('search default.svc.cluster.local svc.cluster.local cluster.local', 'options ndots:5'),
    },
    { at: 'client-a', run: 'getent hosts guide', expect: shows(/^10\.96\.\S+ +guide\.default\.svc/), eventually: true },
    { at: 'client-a', run: 'getent hosts guide.default', expect: shows(`  ${fullName}\n`) },
    { at: 'client-a', run: `getent hosts ${fullName}`, expect: shows(`  ${fullName}\n`) },
    {
      say: 'In another namespace the bare name means another Service, and there is none.',
      at: 'travel.caller',
      run: 'getent hosts guide || echo not found',
      expect: says('not found'),
    },
    { at: 'travel.caller', run: 'getent hosts guide.default', expect: shows(`  ${fullName}\n`) },
    { at: 'travel.caller', run: `getent hosts ${fullName}`, expect: shows(`  ${fullName}\n`) },
    { at: 'travel.caller', run: 'curl -s http://guide.default/ | grep Hostname', expect: says('Hostname: guide-1') },
    {
      say: 'A named port has a record of its own, SRV: host and number.',
      at: 'client-a',
      run: resolve('Srv', `_http._tcp.${fullName}`),
      expect: shows(`name: '${fullName}'`, 'port: 80'),
    },
    {
      say: 'And addresses have names, PTR.',
      at: 'client-a',
      run: "getent hosts $(getent hosts guide | cut -d' ' -f1)",
      expect: shows(`  ${fullName}\n`),
    },
    {
      say:
        'A container also has variables for the Services of its namespace, but only for those that were there when it started: the ' +
        'guide’s own Pod is younger than the Service, client-a is older.',
      at: 'guide-1',
      run: 'env | grep ^GUIDE | sort',
      expect: shows(/^GUIDE_SERVICE_HOST=10\.96\./m, /^GUIDE_SERVICE_PORT=80$/m, /^GUIDE_SERVICE_PORT_HTTP=80$/m),
    },
    { at: 'client-a', run: 'env | grep -c ^GUIDE', expect: says('0') },
    {
      say: 'What a container of each namespace would get now.',
      at: 'operator',
      run: 'maglane env default -m manifests | grep ^GUIDE_SERVICE',
      expect: shows(/^GUIDE_SERVICE_HOST=10\.96\./m),
    },
    {
      at: 'operator',
      run: 'maglane env travel -m manifests',
      expect: (output) => assert.doesNotMatch(output, /GUIDE/),
    },
  ],
}
