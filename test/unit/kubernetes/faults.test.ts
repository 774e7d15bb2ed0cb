// SPDX-License-Identifier: Apache-2.0
/** Faults between the agent and the API server: whatever breaks, no entry is lost and none stays that is gone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ObjectSet } from '../../../src/model/types.ts'
import type { Clock } from '../../../src/source/kubernetes/timing.ts'
import { type FakeApiServer, refuse } from './fake-api-server.ts'
import { type Follower, follow, startServer } from './follower.ts'
import { rawNode, rawService, rawSlice } from './objects.ts'

test('a connection that is cut in the middle of an event costs nothing', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  const follower = follow(context, server)
  await follower.untilWatching()
  server.sendText('Service', '{"type":"ADDED","object":{"metadata":{"name":"half","resourceVersion":"999"')
  server.cut()
  server.set('Service', rawService('api', '10.96.0.11'))
  server.delete('Service', 'default/web')
  await follower.untilServices('api')
  const lists = server.requests.filter(({ kind, watch }) => kind === 'Service' && !watch)
  assert.equal(lists.length, 1, 'the watch goes on where it was')
})

test('a list that is cut is not taken for the whole', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  server.set('Service', rawService('api', '10.96.0.11'))
  const follower = follow(context, server)
  await follower.untilServices('web', 'api')
  await follower.untilWatching()
  let cuts = 0
  server.intercept = ({ kind, watch }, response) => {
    if (kind !== 'Service' || watch || cuts === 3) return false
    cuts++
    response.writeHead(200).write('{"metadata":{"resourceVersion":"500"},"items":[')
    setImmediate(() => response.destroy())
    return true
  }
  server.cut()
  server.set('Service', rawService('new', '10.96.0.12'))
  server.compact()
  await follower.untilServices('web', 'api', 'new')
  assert.equal(cuts, 3)
  assert.ok(follower.states.every(({ objects }) => objects.services.size >= 2))
})

test('410 leads to a list that deletes what is gone', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  server.set('Service', rawService('api', '10.96.0.11'))
  server.set('EndpointSlice', rawSlice('web', ['10.244.1.2']))
  const follower = follow(context, server)
  await follower.untilServices('web', 'api')
  await follower.untilWatching()
  server.cut()
  server.delete('Service', 'default/web')
  server.delete('EndpointSlice', 'default/web-abcde')
  server.compact()
  await follower.untilServices('api')
  await follower.until(({ last }) => last?.objects.endpointSlices.size === 0)
})

test('410 as a status of the answer counts like the event', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  const follower = follow(context, server)
  await follower.untilWatching()
  let gone = 0
  server.intercept = ({ kind, watch }, response) => {
    if (kind !== 'Service' || !watch || gone > 0) return false
    gone++
    refuse(response, 410, 'Gone')
    return true
  }
  server.cut()
  server.delete('Service', 'default/web')
  await follower.untilServices()
  assert.equal(server.requests.filter(({ kind, watch }) => kind === 'Service' && !watch).length, 2)
})

test('a bookmark moves the watch on, so that a long silence does not end in 410', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  const follower = follow(context, server)
  await follower.untilWatching()
  server.set('Node', rawNode('node-b'))
  server.bookmark('Service')
  server.bookmark('EndpointSlice')
  server.bookmark('ServiceCIDR')
  await follower.until(({ last }) => last?.objects.nodes.has('node-b') === true)
  server.compact()
  server.endWatches()
  server.set('Service', rawService('api', '10.96.0.11'))
  await follower.untilServices('web', 'api')
  assert.ok(
    server.requests.some(
      ({ kind, watch, query }) => kind === 'Service' && watch && query.get('resourceVersion') === '102',
    ),
  )
  assert.equal(server.requests.filter(({ kind, watch }) => kind === 'Service' && !watch).length, 1)
})

test('a half-open connection is given up, and what it did not say is caught up on', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  const follower = follow(context, server, { timing: { watchIdleMs: 300 } })
  await follower.untilWatching()
  server.mute()
  server.delete('Service', 'default/web')
  server.set('Service', rawService('api', '10.96.0.11'))
  await follower.untilServices('api')
  assert.ok(follower.statuses.some(({ error }) => error?.message.includes('nothing came for 300 ms')))
})

test('a server that sends no head is given up', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  let held = 0
  server.intercept = ({ kind }) => kind === 'Service' && ++held === 1
  const follower = follow(context, server, { timing: { headMs: 300 } })
  await follower.untilServices('web')
  assert.ok(follower.statuses.some(({ error }) => error?.message.includes('no answer in time')))
})

test('a list that stops is given up', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  let held = 0
  server.intercept = ({ kind }, response) => {
    if (kind !== 'Service' || ++held > 1) return false
    response.writeHead(200).write('{"metadata":{"resourceVersion":"500"},"items":[{"metadata":')
    return true
  }
  const follower = follow(context, server, { timing: { listIdleMs: 300 } })
  await follower.untilServices('web')
})

test('a list that is slow is not given up', async (context) => {
  const server = await startServer(context)
  const pieces =
    JSON.stringify({ metadata: { resourceVersion: '100' }, items: [rawService('web')] }).match(/.{1,40}/g) ?? []
  server.intercept = ({ kind, watch }, response) => {
    if (kind !== 'Service' || watch) return false
    response.writeHead(200)
    const timer = setInterval(() => {
      const piece = pieces.shift()
      if (piece !== undefined) return response.write(piece)
      clearInterval(timer)
      return response.end()
    }, 50)
    return true
  }
  const wholeMs = pieces.length * 50
  assert.ok(wholeMs > 500, `${wholeMs} ms`)
  const follower = follow(context, server, { timing: { listIdleMs: 400 } })
  await follower.untilServices('web')
  assert.equal(server.requests.filter(({ kind, watch }) => kind === 'Service' && !watch).length, 1)
})

test('events that come twice, late or out of an older time change nothing', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  const follower = follow(context, server)
  await follower.untilWatching()
  const old = server.objects.get('Service default/web')!.object
  server.set('Service', rawService('web', '10.96.0.11'))
  server.set('Service', rawService('api', '10.96.0.12'))
  server.delete('Service', 'default/api')
  const newest = server.objects.get('Service default/web')!.object
  // The first version again, twice the newest, a deletion of the first, and an old word of what is deleted.
  server.send('Service', { type: 'MODIFIED', object: old })
  server.send('Service', { type: 'ADDED', object: newest })
  server.send('Service', { type: 'MODIFIED', object: newest })
  server.send('Service', { type: 'DELETED', object: old })
  server.send('Service', {
    type: 'MODIFIED',
    object: { ...rawService('api'), metadata: { ...rawService('api').metadata, resourceVersion: '103' } },
  })
  server.set('Service', rawService('end', '10.96.0.13'))
  await follower.until(({ last }) => last?.objects.services.has('default/end') === true)
  assert.deepEqual([...follower.last!.objects.services.keys()], ['default/web', 'default/end'])
  assert.deepEqual(follower.last!.objects.services.get('default/web')?.spec.clusterIPs, ['10.96.0.11'])
})

test('a restart on the same port is caught up with', async (context) => {
  const server = await startServer(context)
  server.set('Service', rawService('web'))
  const follower = follow(context, server)
  await follower.untilWatching()
  await server.stop()
  server.set('Service', rawService('api', '10.96.0.11'))
  server.delete('Service', 'default/web')
  await follower.until(({ statuses }) => statuses.some(({ failures }) => failures >= 3))
  assert.equal(follower.last?.objects.services.size, 1, 'an API server that is away takes nothing away')
  await server.start()
  await follower.untilServices('api')
  await follower.untilWatching()
})

test('a server that was set back to a backup is believed, whether it sends bookmarks or stays silent', async (context) => {
  for (const bookmarks of [true, false]) {
    const server = await startServer(context)
    server.set('Service', rawService('web'))
    const backup = server.version
    server.set('Service', rawService('lost', '10.96.0.11'))
    const follower = follow(context, server, bookmarks ? {} : { timing: { watchIdleMs: 300 } })
    await follower.untilServices('web', 'lost')
    await follower.untilWatching()
    await server.stop()
    server.objects.delete('Service default/lost')
    server.setBack(backup)
    await server.start()
    if (bookmarks) {
      await follower.until(() => server.watchers.size === 4)
      server.bookmark('Service')
    }
    await follower.untilServices('web')
    await follower.stop()
  }
})

for (const [name, text] of [
  ['what is not JSON', 'oops\n'],
  ['an unknown event', '{"type":"EXPLODED","object":{}}\n'],
  ['an event without an object', '{"type":"ADDED"}\n'],
  ['an object without a name', '{"type":"ADDED","object":{"metadata":{"resourceVersion":"9999"}}}\n'],
  ['an error', '{"type":"ERROR","object":{"code":422,"message":"so be it"}}\n'],
] as const) {
  test(`${name} in a watch leads to a list`, async (context) => {
    const server = await startServer(context)
    server.set('Service', rawService('web'))
    const follower = follow(context, server)
    await follower.untilWatching()
    server.sendText('Service', text)
    await follower.until(() => server.requests.filter(({ kind, watch }) => kind === 'Service' && !watch).length === 2)
    server.set('Service', rawService('api', '10.96.0.11'))
    await follower.untilServices('web', 'api')
  })
}

/** Time that passes as soon as somebody waits, and remembers how long. */
function recordingClock(): Clock & { readonly delays: number[] } {
  const delays: number[] = []
  return {
    delays,
    delay: async (ms) => {
      delays.push(ms)
      await new Promise(setImmediate)
    },
    nowMs: () => performance.now(),
    random: () => 0.5,
  }
}

const BACK_OFF = { firstRetryMs: 500, maxRetryMs: 30_000, shortWatchMs: 1_000 }

/** Delays before the n-th try of Services, all others being served. */
async function servicesRefused(
  server: FakeApiServer,
  run: (clock: Clock) => Follower,
  answer: Parameters<typeof refuse>[1],
  headers: Record<string, string>,
  times: number,
): Promise<number[]> {
  const clock = recordingClock()
  let refused = 0
  server.intercept = ({ kind }, response) => {
    if (kind !== 'Service' || refused === times) return false
    refused++
    refuse(response, answer, 'Test', headers)
    return true
  }
  const follower = run(clock)
  await follower.untilWatching()
  return clock.delays
}

test('tries that fail are repeated ever later, with jitter, up to a limit', async (context) => {
  const server = await startServer(context)
  const run = (clock: Clock) => follow(context, server, { clock, timing: BACK_OFF })
  const delays = await servicesRefused(server, run, 500, {}, 9)
  assert.deepEqual(delays, [750, 1500, 3000, 6000, 12_000, 24_000, 45_000, 45_000, 45_000])
})

test('a server that asks to wait is given the time', async (context) => {
  const server = await startServer(context)
  const run = (clock: Clock) => follow(context, server, { clock, timing: BACK_OFF })
  assert.deepEqual(await servicesRefused(server, run, 429, { 'retry-after': '7' }, 2), [7000, 7000])
})

test('a server that ends every watch at once is not asked in a loop', async (context) => {
  const server = await startServer(context)
  const clock = recordingClock()
  server.intercept = ({ kind, watch }, response) => {
    if (kind !== 'Service' || !watch || clock.delays.length >= 4) return false
    response.writeHead(200).end()
    return true
  }
  const follower = follow(context, server, { clock, timing: BACK_OFF })
  await follower.until(() => clock.delays.length === 4)
  await follower.untilWatching()
  assert.deepEqual(clock.delays, [750, 1500, 3000, 6000])
})

/** Mulberry32: the same faults for the same seed. */
function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

test('after any row of changes and faults the state is the server’s', async (context) => {
  const seed = Number(process.env.MAGLANE_SEED ?? Math.floor(Math.random() * 2 ** 32))
  context.diagnostic(`MAGLANE_SEED=${seed}`)
  const random = seededRandom(seed)
  const pick = (count: number) => Math.floor(random() * count)
  const server = await startServer(context)
  server.gzip = true
  const follower = follow(context, server, { timing: { pageSize: 7, watchIdleMs: 500 } })
  const change = () => {
    const name = `svc-${pick(30)}`
    const known = server.objects.has(`Service default/${name}`)
    if (known && random() < 0.4) server.delete('Service', `default/${name}`)
    else server.set('Service', rawService(name, `10.96.${pick(250)}.${pick(250)}`))
    const slice = rawSlice(name, [`10.244.${pick(250)}.${pick(250)}`])
    if (random() < 0.5) server.set('EndpointSlice', slice)
    else if (server.objects.has(`EndpointSlice default/${slice.metadata.name}`))
      server.delete('EndpointSlice', `default/${slice.metadata.name}`)
  }
  const faults = [
    () => server.cut(),
    () => server.compact(),
    () => server.mute(),
    () => server.endWatches(),
    () => server.bookmark('Service'),
    () => server.sendText('Service', 'oops\n'),
    () => server.sendText('EndpointSlice', '{"type":"ADDED","object":{"meta'),
    () => {
      const [any] = [...server.objects.values()].filter(({ kind }) => kind === 'Service')
      if (any) server.send('Service', { type: 'MODIFIED', object: any.object })
    },
    () => {
      server.chunkBytes = pick(200)
    },
    async () => {
      await server.stop()
      for (let index = 0; index < 5; index++) change()
      await server.start()
    },
  ]
  for (let step = 0; step < 150; step++) {
    for (let index = pick(4); index >= 0; index--) change()
    if (random() < 0.5) await faults[pick(faults.length)]?.()
    for (let turns = pick(6); turns > 0; turns--) await new Promise(setImmediate)
  }
  server.chunkBytes = 0
  await follower.until(({ last }) => last !== undefined && isStateOf(server, last.objects))
})

function isStateOf(server: FakeApiServer, objects: ObjectSet): boolean {
  const wanted = [...server.objects.values()]
  const services = wanted.filter(({ kind }) => kind === 'Service')
  const slices = wanted.filter(({ kind }) => kind === 'EndpointSlice')
  return (
    services.length === objects.services.size &&
    slices.length === objects.endpointSlices.size &&
    services.every(({ object }) => {
      const { clusterIPs } = object.spec as { clusterIPs: string[] }
      return objects.services.get(`default/${object.metadata.name}`)?.spec.clusterIPs[0] === clusterIPs[0]
    }) &&
    slices.every(({ object }) => {
      const [endpoint] = object.endpoints as { addresses: string[] }[]
      const seen = objects.endpointSlices.get(`default/${object.metadata.name}`)?.endpoints[0]
      return seen?.addresses[0] === endpoint?.addresses[0]
    })
  )
}
