// SPDX-License-Identifier: Apache-2.0
/** Which nodes the lab's scheduler takes for a Pod. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PodObject } from '../../src/lab/pod-object.ts'
import { nodesFor } from '../../src/lab/scheduler.ts'

const nodes = ['a', 'b', 'c'].map((letter) => ({ name: `node-${letter}`, labels: { zone: letter, disk: 'fast' } }))

function pod(spec: Partial<PodObject['spec']>): PodObject {
  return { metadata: { name: 'pod', namespace: 'default', uid: '1' }, spec: { containers: [], ...spec } }
}

function affinityTo(...values: readonly string[]): PodObject['spec']['affinity'] {
  const nodeSelectorTerms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values }] }]
  return { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } }
}

const table: readonly [string, Partial<PodObject['spec']>, readonly string[]][] = [
  ['a Pod that asks for nothing may run anywhere', {}, ['node-a', 'node-b', 'node-c']],
  ['every label of a nodeSelector counts', { nodeSelector: { zone: 'b', disk: 'fast' } }, ['node-b']],
  ['a label that no node has leaves none', { nodeSelector: { gpu: 'yes' } }, []],
  ['a DaemonSet’s Pod runs on the node it was made for', { affinity: affinityTo('node-c') }, ['node-c']],
  ['a node that is not there leaves none', { affinity: affinityTo('node-x') }, []],
  [
    'selector and affinity both count',
    { nodeSelector: { zone: 'a' }, affinity: affinityTo('node-a', 'node-b') },
    ['node-a'],
  ],
]

for (const [name, spec, wanted] of table) {
  test(`nodesFor(): ${name}`, () =>
    assert.deepEqual(
      nodesFor(pod(spec), nodes).map((node) => node.name),
      wanted,
    ))
}
