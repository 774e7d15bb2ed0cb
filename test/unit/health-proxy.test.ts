// SPDX-License-Identifier: Apache-2.0
/** When health checks say yes: overdue updates by family, the Node's own state (KEP-3836). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { healthAnswer } from '../../src/health/health-answers.ts'
import { HEALTH_TIMEOUT_MS, ProxyHealth, TO_BE_DELETED_TAINT } from '../../src/health/proxy-health.ts'
import type { Node } from '../../src/model/types.ts'

const START_MS = Date.parse('2030-01-01T00:00:00Z')

function withClock() {
  const clock = { nowMs: START_MS }
  // The two clocks count from different beginnings, as they do in earnest.
  const health = new ProxyHealth({ now: () => clock.nowMs, elapsed: () => clock.nowMs - START_MS })
  const status = (path: string) => {
    const facts = { ...health.report(), ready: health.ready, failedServices: 0 }
    return healthAnswer(path, facts)?.status
  }
  return { clock, health, status }
}

function nodeObject(rest: { taints?: Node['spec']['taints']; deletionTimestamp?: string } = {}): Node {
  return {
    metadata: {
      name: 'node-a',
      namespace: '',
      ...(rest.deletionTimestamp ? { deletionTimestamp: rest.deletionTimestamp } : {}),
    },
    spec: { podCIDRs: [], taints: rest.taints ?? [] },
    status: { addresses: [] },
  }
}

describe('ProxyHealth', () => {
  test('is healthy while it starts up and has nothing to do', () => {
    const { status } = withClock()
    assert.deepEqual([status('/healthz'), status('/livez'), status('/readyz')], [200, 200, 503])
  })

  test('is ready once the maps have held a whole state', () => {
    const { health, status } = withClock()
    health.queued('IPv4')
    assert.equal(status('/readyz'), 503)
    health.updated('IPv4')
    assert.equal(status('/readyz'), 200)
  })

  for (const family of ['IPv4', 'IPv6'] as const) {
    test(`an overdue update of ${family} alone is enough for 503, and the update heals it`, () => {
      const { clock, health, status } = withClock()
      health.updated('IPv4')
      health.updated('IPv6')
      health.queued(family)
      clock.nowMs += HEALTH_TIMEOUT_MS - 1
      assert.equal(status('/healthz'), 200)
      clock.nowMs += 1
      assert.deepEqual([status('/healthz'), status('/livez'), status('/readyz')], [503, 503, 503])
      health.updated(family === 'IPv4' ? 'IPv6' : 'IPv4')
      assert.equal(status('/livez'), 503, 'the other family helps nothing')
      health.updated(family)
      assert.deepEqual([status('/healthz'), status('/livez')], [200, 200])
    })
  }

  test('a queued update counts from the first, later ones do not put it off', () => {
    const { clock, health, status } = withClock()
    health.queued('IPv4')
    clock.nowMs += HEALTH_TIMEOUT_MS / 2
    health.queued('IPv4')
    clock.nowMs += HEALTH_TIMEOUT_MS / 2
    assert.equal(status('/livez'), 503)
  })

  test('lastUpdated is now while healthy, else when the overdue family was last updated', () => {
    const { clock, health } = withClock()
    health.updated('IPv4')
    clock.nowMs += 5_000
    assert.equal(health.report().lastUpdated?.getTime(), clock.nowMs)
    health.queued('IPv4')
    clock.nowMs += HEALTH_TIMEOUT_MS
    assert.equal(health.report().lastUpdated?.getTime(), START_MS)
    assert.equal(health.report().currentTime.getTime(), clock.nowMs)
  })

  const going = [
    {
      why: 'has the autoscaler’s taint',
      node: nodeObject({ taints: [{ key: TO_BE_DELETED_TAINT, effect: 'NoSchedule' }] }),
    },
    { why: 'is being deleted', node: nodeObject({ deletionTimestamp: '2030-01-01T00:00:00Z' }) },
    { why: 'was deleted', node: undefined },
  ]
  for (const { why, node } of going) {
    test(`a Node that ${why} gets no new connections, and its agent no restart`, () => {
      const { health, status } = withClock()
      health.setNode(nodeObject({ taints: [{ key: 'node.kubernetes.io/unschedulable' }] }))
      assert.equal(status('/healthz'), 200)
      health.setNode(node)
      assert.deepEqual([status('/healthz'), status('/livez')], [503, 200])
      health.setNode(nodeObject())
      assert.equal(status('/healthz'), 200)
    })
  }

  test('without any Node object the node is eligible', () => {
    const { health, status } = withClock()
    health.setNode(undefined)
    assert.equal(status('/healthz'), 200)
  })
})

test('healthAnswer() prints the times, and knows no other path', () => {
  const time = new Date(START_MS)
  const facts = {
    healthy: true,
    nodeEligible: true,
    lastUpdated: time,
    currentTime: time,
    ready: true,
    failedServices: 2,
  }
  const answer = healthAnswer('/healthz', facts)
  assert.equal(answer?.headers['Content-Type'], 'application/json')
  assert.deepEqual(JSON.parse(answer?.body ?? ''), {
    lastUpdated: '2030-01-01T00:00:00.000Z',
    currentTime: '2030-01-01T00:00:00.000Z',
    nodeEligible: true,
    failedServices: 2,
  })
  assert.equal(healthAnswer('/', facts), undefined)
})
