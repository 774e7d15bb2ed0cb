// SPDX-License-Identifier: Apache-2.0
/** The rows of kube-proxy's table for CategorizeEndpoints, and what maglane makes of a set that stays empty. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { categorizeEndpoints, type Endpoint, type Place } from '../../src/model/categorize-endpoints.ts'

/**
 * An endpoint in short: its number, then letters: `r` ready, `s` serving, `t` terminating, `l` local; then zone hints
 * after `@` and node hints after `#`.
 */
function endpoint(text: string): Endpoint {
  const [, number = '', letters = '', zones = '', nodes = ''] =
    /^(\d+)([rstl]*)(?:@([^#]*))?(?:#(.*))?$/.exec(text) ?? []
  const list = (names: string) => (names === '' ? [] : names.split('+'))
  return {
    address: `10.0.0.${number}`,
    port: 80,
    local: letters.includes('l'),
    ready: letters.includes('r'),
    serving: letters.includes('r') || letters.includes('s'),
    terminating: letters.includes('t'),
    zoneHints: list(zones),
    nodeHints: list(nodes),
  }
}

interface Row {
  readonly name: string
  readonly place?: Place
  readonly endpoints: string
  readonly cluster: string
  readonly local: string
  readonly hasAny: boolean
}

const zoneA: Place = { nodeName: 'here', zone: 'a' }

const rows: readonly Row[] = [
  { name: 'no endpoints at all', endpoints: '', cluster: '', local: '', hasAny: false },
  { name: 'only ready ones serve', endpoints: '1 2r 3rl', cluster: '2 3', local: '3', hasAny: true },
  { name: 'none is ready', endpoints: '1 2 3l', cluster: '', local: '', hasAny: false },
  { name: 'all are remote', endpoints: '1r 2r', cluster: '1 2', local: '', hasAny: true },
  { name: 'all are local', endpoints: '1rl 2rl', cluster: '1 2', local: '1 2', hasAny: true },
  { name: 'a ready one wins over terminating ones', endpoints: '1r 2st', cluster: '1', local: '', hasAny: true },
  { name: 'only terminating ones are left', endpoints: '1stl 2st', cluster: '1 2', local: '1', hasAny: true },
  {
    name: 'terminating ones that no longer serve never count',
    endpoints: '1t 2tl',
    cluster: '',
    local: '',
    hasAny: false,
  },
  {
    name: 'serving ones that are neither ready nor terminating never count',
    endpoints: '1s 2sl',
    cluster: '',
    local: '',
    hasAny: false,
  },
  {
    name: 'the fallback is decided for each set alone',
    endpoints: '1r 2l 3stl 4st',
    cluster: '1',
    local: '3',
    hasAny: true,
  },
  { name: 'all are remote and terminating', endpoints: '1st 2st', cluster: '1 2', local: '', hasAny: true },
  { name: 'published although terminating', endpoints: '1rt 2st', cluster: '1', local: '', hasAny: true },

  {
    name: 'zone hints narrow',
    place: zoneA,
    endpoints: '1r@a 2r@b 3r@c 4r@a',
    cluster: '1 4',
    local: '',
    hasAny: true,
  },
  {
    name: 'zone hints do not concern the local set',
    place: zoneA,
    endpoints: '1rl@a 2rl@b 3r@b 4r@a',
    cluster: '1 4',
    local: '1 2',
    hasAny: true,
  },
  {
    name: 'an endpoint without a hint: all',
    place: zoneA,
    endpoints: '1r@a 2r@b 3r',
    cluster: '1 2 3',
    local: '',
    hasAny: true,
  },
  {
    name: 'hints of endpoints that are not ready do not count',
    place: zoneA,
    endpoints: '1r@a 2r@b 3',
    cluster: '1',
    local: '',
    hasAny: true,
  },
  {
    name: 'no ready endpoint for this zone: all',
    place: zoneA,
    endpoints: '1@a 2r@b 3r@c',
    cluster: '2 3',
    local: '',
    hasAny: true,
  },
  { name: 'a node without a zone: all', endpoints: '1r@a 2r@b', cluster: '1 2', local: '', hasAny: true },
  {
    name: 'an empty zone: all',
    place: { nodeName: 'here', zone: '' },
    endpoints: '1r@a',
    cluster: '1',
    local: '',
    hasAny: true,
  },
  {
    name: 'several zones in a hint',
    place: { nodeName: 'here', zone: 'c' },
    endpoints: '1r@a+b+c 2r@b+c 3r@b+d 4r@c',
    cluster: '1 2 4',
    local: '',
    hasAny: true,
  },
  {
    name: 'terminating ones are not narrowed',
    place: zoneA,
    endpoints: '1st@a 2st@b',
    cluster: '1 2',
    local: '',
    hasAny: true,
  },

  { name: 'node hints narrow', endpoints: '1r#here 2r#there', cluster: '1', local: '', hasAny: true },
  {
    name: 'node hints come before zone hints',
    place: zoneA,
    endpoints: '1r@a#here 2r@a#there',
    cluster: '1',
    local: '',
    hasAny: true,
  },
  {
    name: 'no node hint for this node: zone hints',
    place: zoneA,
    endpoints: '1r@a#there 2r@b#there',
    cluster: '1',
    local: '',
    hasAny: true,
  },
  {
    name: 'a missing node hint: zone hints',
    place: zoneA,
    endpoints: '1r@a#here 2r@a 3r@b',
    cluster: '1 2',
    local: '',
    hasAny: true,
  },
  {
    name: 'a missing node hint, a missing zone hint: all',
    place: zoneA,
    endpoints: '1r#here 2r@a',
    cluster: '1 2',
    local: '',
    hasAny: true,
  },
]

describe('categorizeEndpoints()', () => {
  for (const row of rows) {
    test(row.name, () => {
      const endpoints = row.endpoints
        .split(' ')
        .filter((text) => text !== '')
        .map(endpoint)
      const categorized = categorizeEndpoints(endpoints, row.place ?? { nodeName: 'here' })
      const numbers = (list: readonly Endpoint[]) => list.map(({ address }) => address.replace('10.0.0.', '')).join(' ')
      assert.deepEqual(
        { cluster: numbers(categorized.cluster), local: numbers(categorized.local), hasAny: categorized.hasAny },
        { cluster: row.cluster, local: row.local, hasAny: row.hasAny },
      )
    })
  }
})
