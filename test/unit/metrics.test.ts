// SPDX-License-Identifier: Apache-2.0
/** kube-proxy's metrics, and what they are computed from. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Registry } from 'prom-client'
import { KubeProxyMetrics, PROGRAMMING_BUCKETS, SYNC_BUCKETS } from '../../src/metrics/kube-proxy-metrics.ts'
import { MaglaneMetrics } from '../../src/metrics/maglane-metrics.ts'
import { MonotonicTotals } from '../../src/metrics/monotonic-totals.ts'
import { NoLocalEndpoints } from '../../src/metrics/no-local-endpoints.ts'
import { TRIGGER_TIME_ANNOTATION, TriggerTimes } from '../../src/metrics/trigger-times.ts'
import type { EndpointSlice } from '../../src/model/types.ts'
import { on, plan, service, slice } from './model-fixture.ts'

type Raw = Readonly<Record<string, unknown>>

const START_MS = Date.parse('2030-01-01T00:00:00Z')
const at = (seconds: number) => new Date(START_MS + seconds * 1000).toISOString()

async function samples(registry: Registry): Promise<Map<string, string>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]))
}

describe('KubeProxyMetrics', () => {
  test('has the buckets of kube-proxy', () => {
    assert.equal(SYNC_BUCKETS.length, 15)
    assert.equal(SYNC_BUCKETS[0], 0.001)
    assert.equal(SYNC_BUCKETS.at(-1), 16.384)
    assert.deepEqual(PROGRAMMING_BUCKETS.slice(0, 4), [0.25, 0.5, 1, 2])
    assert.deepEqual(PROGRAMMING_BUCKETS.slice(60, 64), [59, 60, 65, 70])
    assert.deepEqual(PROGRAMMING_BUCKETS.slice(-8), [115, 120, 150, 180, 210, 240, 270, 300])
    assert.equal(PROGRAMMING_BUCKETS.length, 80)
  })

  test('a sync is observed by family, full apart from partial, and empties what is pending', async () => {
    const registry = new Registry()
    const clock = { nowMs: START_MS }
    const metrics = new KubeProxyMetrics({ registry, now: () => clock.nowMs })
    metrics.queued('IPv6')
    metrics.changed('endpoint', 'IPv6', 3)
    metrics.changed('service', 'IPv4', 1)
    let found = await samples(registry)
    assert.equal(found.get('kubeproxy_sync_proxy_rules_endpoint_changes_pending{ip_family="IPv6"}'), '3')
    assert.equal(found.get('kubeproxy_sync_proxy_rules_service_changes_pending{ip_family="IPv6"}'), '0')
    clock.nowMs += 2_000
    metrics.programmed({ ipFamily: 'IPv6', durationMs: 3, full: true, triggerTimes: [START_MS, START_MS + 1_600] })
    metrics.programmed({ ipFamily: 'IPv6', durationMs: 1, full: false, triggerTimes: [clock.nowMs + 500] })
    found = await samples(registry)
    const expected = {
      'kubeproxy_sync_proxy_rules_endpoint_changes_pending{ip_family="IPv6"}': '0',
      'kubeproxy_sync_proxy_rules_endpoint_changes_total{ip_family="IPv6"}': '3',
      'kubeproxy_sync_proxy_rules_service_changes_pending{ip_family="IPv4"}': '1',
      'kubeproxy_sync_proxy_rules_service_changes_total{ip_family="IPv4"}': '1',
      'kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family="IPv6"}': '2',
      'kubeproxy_sync_proxy_rules_duration_seconds_bucket{le="0.001",ip_family="IPv6"}': '1',
      'kubeproxy_sync_proxy_rules_duration_seconds_bucket{le="0.004",ip_family="IPv6"}': '2',
      'kubeproxy_sync_full_proxy_rules_duration_seconds_count{ip_family="IPv6"}': '1',
      'kubeproxy_sync_partial_proxy_rules_duration_seconds_count{ip_family="IPv6"}': '1',
      'kubeproxy_network_programming_duration_seconds_count{ip_family="IPv6"}': '3',
      'kubeproxy_network_programming_duration_seconds_bucket{le="0.25",ip_family="IPv6"}': '1',
      'kubeproxy_network_programming_duration_seconds_bucket{le="0.5",ip_family="IPv6"}': '2',
      'kubeproxy_network_programming_duration_seconds_bucket{le="2",ip_family="IPv6"}': '3',
      'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family="IPv6"}': String(START_MS / 1000),
      'kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv6"}': String(START_MS / 1000 + 2),
    }
    for (const [name, value] of Object.entries(expected)) assert.equal(found.get(name), value, name)
  })

  test('probes are counted by their status', async () => {
    const registry = new Registry()
    const metrics = new KubeProxyMetrics({ registry })
    metrics.probed('healthz', 503)
    metrics.probed('livez', 200)
    metrics.probed('livez', 200)
    metrics.setNoLocalEndpoints('external', 'IPv4', 4)
    const found = await samples(registry)
    assert.equal(found.get('kubeproxy_proxy_healthz_total{code="503"}'), '1')
    assert.equal(found.get('kubeproxy_proxy_livez_total{code="200"}'), '2')
    const name = 'kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="external"}'
    assert.equal(found.get(name), '4')
  })
})

describe('TriggerTimes', () => {
  const stamped = (seconds: number, rest: Raw = {}, metadata: Raw = {}): EndpointSlice =>
    slice([on('node-b', '10.1.0.1')], rest, { annotations: { [TRIGGER_TIME_ANNOTATION]: at(seconds) }, ...metadata })

  test('gives each change’s time once, by family', () => {
    const times = new TriggerTimes(START_MS)
    const first = stamped(1)
    times.add({ before: undefined, after: first })
    times.add({ before: first, after: stamped(2) })
    const six = stamped(3, { addressType: 'IPv6', endpoints: [on('node-b', 'fd00::1')] })
    times.add({ before: undefined, after: six })
    assert.deepEqual(times.take('IPv4'), [START_MS + 1_000, START_MS + 2_000])
    assert.deepEqual(times.take('IPv4'), [])
    assert.deepEqual(times.take('IPv6'), [START_MS + 3_000])
  })

  const silent: readonly [string, EndpointSlice | undefined, EndpointSlice][] = [
    ['made before the agent started', undefined, stamped(-1)],
    ['of something else, the annotation being the same', stamped(1), stamped(1, { endpoints: [] })],
    ['without annotation', undefined, slice([])],
    ['whose annotation is no time', undefined, slice([], {}, { annotations: { [TRIGGER_TIME_ANNOTATION]: 'soon' } })],
    [
      'of a headless Service',
      undefined,
      stamped(1, {}, { labels: { 'kubernetes.io/service-name': 'web', 'service.kubernetes.io/headless': '' } }),
    ],
    ['of no Service', undefined, stamped(1, {}, { labels: {} })],
  ]
  for (const [what, before, after] of silent) {
    test(`says nothing of a change ${what}`, () => {
      const times = new TriggerTimes(START_MS)
      times.add({ before, after })
      assert.deepEqual(times.take('IPv4'), [])
    })
  }

  test('a deleted slice takes the Service’s earlier times with it', () => {
    const times = new TriggerTimes(START_MS)
    const made = stamped(1)
    times.add({ before: undefined, after: made })
    times.add({ before: made, after: undefined })
    assert.deepEqual(times.take('IPv4'), [])
  })
})

test('NoLocalEndpoints counts ports by policy and family, and follows changes', () => {
  const elsewhere = slice([on('node-b', '10.1.0.1')])
  const here = slice([on('node-a', '10.1.0.1')])
  const external = service({ type: 'NodePort', externalTrafficPolicy: 'Local', ports: [{ port: 80, nodePort: 30080 }] })
  const internal = service({ internalTrafficPolicy: 'Local' })
  const counting = new NoLocalEndpoints()
  const totals = (object: typeof internal, slices: readonly EndpointSlice[]) => {
    counting.update(new Map([['default/web', plan(object, slices)]]), ['default/web'])
    return [counting.totals.internal.IPv4, counting.totals.external.IPv4, counting.totals.external.IPv6]
  }
  assert.deepEqual(totals(external, [elsewhere]), [0, 1, 0])
  assert.deepEqual(totals(internal, [elsewhere]), [1, 0, 0])
  assert.deepEqual(totals(internal, [here]), [0, 0, 0])
  assert.deepEqual(totals(internal, []), [0, 0, 0], 'no endpoint anywhere is another matter')
  assert.deepEqual(totals(service(), [elsewhere]), [0, 0, 0], 'policy Cluster')
  assert.deepEqual(totals(external, [elsewhere]), [0, 1, 0])
  counting.update(new Map(), ['default/web'])
  assert.equal(counting.totals.external.IPv4, 0)
})

test('MonotonicTotals never go back, whatever becomes of the counters', () => {
  const totals = new MonotonicTotals()
  const stat = (flows: number, packets: number) => ({
    flows: BigInt(flows),
    packets: BigInt(packets),
    bytes: BigInt(packets * 100),
    refused: 0n,
  })
  totals.update(1, stat(1, 10))
  totals.update(2, stat(2, 20))
  totals.update(1, stat(3, 15))
  assert.deepEqual(totals.totals, { flows: 5n, packets: 35n, bytes: 3500n, refused: 0n })
  totals.keepOnly(new Set([1]))
  totals.update(1, stat(1, 2))
  assert.deepEqual(totals.totals, { flows: 6n, packets: 37n, bytes: 3700n, refused: 0n }, 'id 1 started anew')
  totals.update(2, stat(1, 1))
  assert.deepEqual(totals.totals, { flows: 7n, packets: 38n, bytes: 3800n, refused: 0n }, 'id 2 is another Service’s')
})

test('MaglaneMetrics shows packets by reason and verdict, and replaces them at the next reading', async () => {
  const registry = new Registry()
  const metrics = new MaglaneMetrics(registry, '1.2.3')
  metrics.setReasons([
    [8, { packets: 5n, bytes: 500n }],
    [25, { packets: 1n, bytes: 60n }],
  ])
  metrics.setReasons([[8, { packets: 7n, bytes: 700n }]])
  metrics.setMaps([{ map: 'frontends', entries: 3, capacity: 10, memoryBytes: 4096 }])
  metrics.setPrograms({ services: 9, failedServices: 1, objectErrors: 2 })
  metrics.drifted({ services: 0, members: 0, source_ranges: 0, frontends: 2, backends: 0, arena: 0, filter: 0 })
  const found = await samples(registry)
  assert.equal(found.get('maglane_packets_total{reason="FORWARD_NEW",verdict="forward"}'), '7')
  assert.equal(found.get('maglane_bytes_total{reason="FORWARD_NEW",verdict="forward"}'), '700')
  assert.equal(found.get('maglane_packets_total{reason="DROP_NO_LOCAL_ENDPOINT",verdict="drop"}'), undefined)
  assert.equal(found.get('maglane_map_entries{map="frontends"}'), '3')
  assert.equal(found.get('maglane_services_failed'), '1')
  assert.equal(found.get('maglane_map_drift_total{map="frontends"}'), '2')
  assert.equal(found.get('maglane_map_write_faults_total'), '0')
  assert.equal(found.get('maglane_build_info{version="1.2.3"}'), '1')
})
