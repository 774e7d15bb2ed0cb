// SPDX-License-Identifier: Apache-2.0
/** A ClusterIP in front of Pods that come and go. */

import assert from 'node:assert/strict'
import type { Lab } from '../../lab/lab.ts'
import { callWhile } from '../../lab/steady-calls.ts'
import { until } from '../../lab/until.ts'
import { clusterFrontend } from '../cluster-frontend.ts'
import { countAnswers } from '../commands.ts'
import { answeredBy, shows } from '../seen.ts'
import type { Story } from '../story.ts'

/** New Pods are used at once; the bound is wide because tests share a busy machine. */
const ADMISSION_MS = 5_000

export const clusterIp: Story = {
  number: 1,
  title: 'ClusterIP: one address in front of many Pods',
  about:
    'A Service gives Pods that come and go one address that stays. Its selector says which Pods: those that carry its labels.',
  steps: [
    { apply: '01-cluster-ip.yaml' },
    {
      say: 'Three Pods, two of which the Service selects.',
      at: 'operator',
      run: 'maglane get pods -m manifests -o wide',
      expect: shows(/^goweb-1 +1\/1 +Running/m, /^goweb-2 +1\/1 +Running/m, /^stranger +1\/1 +Running/m),
    },
    {
      at: 'operator',
      run: 'maglane get services -m manifests',
      expect: shows(/^goweb +ClusterIP +10\.96\.\S+ +<none> +80\/TCP/m),
    },
    {
      at: 'operator',
      run: 'maglane get endpoints goweb -m manifests',
      expect: (output) => assert.deepEqual(output.match(/10\.244\.\d+\.\d+:8080/g)?.length, 2),
    },
    {
      say: 'Each call may reach another Pod; the third never answers.',
      at: 'client-a',
      run: countAnswers('http://goweb/', 24),
      expect: answeredBy('goweb-1', 'goweb-2'),
      eventually: true,
    },
    {
      at: 'operator',
      run: 'maglane describe service goweb -m manifests',
      expect: shows(
        /^Selector: +app=goweb$/m,
        /^Type: +ClusterIP$/m,
        /^TargetPort: +8080\/TCP$/m,
        /^Endpoints: +10\./m,
      ),
    },
    {
      say: 'Scaled to four while it is called without a pause: the new Pods answer at once, and nobody waits in vain.',
      act: async (lab) => {
        const { text, ms } = await scale(lab, 4)
        assert.ok(ms < ADMISSION_MS, `the new Pods answered after ${ms} ms`)
        return `# goweb: 2 → 4 replicas\n${text}; all four within ${ms} ms`
      },
    },
    {
      at: 'client-a',
      run: countAnswers('http://goweb/', 64),
      expect: answeredBy('goweb-1', 'goweb-2', 'goweb-3', 'goweb-4'),
    },
    {
      say: 'And down again.',
      act: async (lab) => `# goweb: 4 → 2 replicas\n${(await scale(lab, 2)).text}`,
    },
    { at: 'client-a', run: countAnswers('http://goweb/', 24), expect: answeredBy('goweb-1', 'goweb-2') },
  ],
}

/** Scales while calling. `ms` lies between the moment when the Pods were there and that when each of them had answered. */
async function scale(lab: Lab, replicas: number): Promise<{ text: string; ms: number }> {
  const frontend = await clusterFrontend(lab, 'default/goweb')
  let ms = 0
  const steady = await callWhile(lab, ['client-b', 'node-a', 'outside'], [frontend], async () => {
    await lab.scale('goweb', replicas)
    const start = performance.now()
    const seen = new Set<string>()
    await until('every Pod has answered', async () => {
      for (let call = 0; call < 20; call++) seen.add((await lab.request('client-a', frontend)).pod)
      return seen.size >= replicas
    })
    ms = Math.round(performance.now() - start)
  })
  assert.deepEqual(steady.failed, [])
  const pods = Object.entries(steady.byPod)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([pod, calls]) => `${pod} ${calls}`)
  // The counts stand at the line's end, where they are known to vary.
  return { text: `${steady.calls} calls, none failed (${pods.join(', ')})`, ms }
}
