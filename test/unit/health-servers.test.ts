// SPDX-License-Identifier: Apache-2.0
/** The servers: bind addresses, healthCheckNodePorts, ports that are taken. All on this machine's loopback. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { textAnswer } from '../../src/health/answer.ts'
import { type BindAddress, formatBindAddress, parseBindAddress } from '../../src/health/bind-address.ts'
import { EndpointServer, type EndpointServerError } from '../../src/health/endpoint-server.ts'
import { healthCheckPorts, ServiceHealth } from '../../src/health/service-health.ts'
import { ServiceHealthServers } from '../../src/health/service-health-servers.ts'
import type { ServicePlan } from '../../src/model/types.ts'
import { on, plan, service, slice } from './model-fixture.ts'

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** A port that nobody else has, held or free. */
async function takePort(t: TestContext): Promise<{ port: number; server: Server }> {
  const server = createServer((_, response) => response.end('somebody else'))
  server.listen(0)
  await once(server, 'listening')
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, server }
}

async function freePort(t: TestContext): Promise<number> {
  const { port, server } = await takePort(t)
  server.close()
  await once(server, 'close')
  return port
}

describe('parseBindAddress()', () => {
  const rows: readonly [string, BindAddress][] = [
    ['127.0.0.1:10249', { host: '127.0.0.1', port: 10249 }],
    ['0.0.0.0:10256', { host: undefined, port: 10256 }],
    ['[::]:10256', { host: undefined, port: 10256 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    [':80', { host: undefined, port: 80 }],
    ['10.0.0.1', { host: '10.0.0.1', port: 7 }],
    ['::1', { host: '::1', port: 7 }],
  ]
  for (const [text, address] of rows) test(text, () => assert.deepEqual(parseBindAddress(text, 7), address))

  for (const text of ['', 'localhost:80', '10.0.0.1:', '10.0.0.1:65536', '::1:x', '[10.0.0:80', '[]x:80']) {
    test(`refuses '${text}'`, () => assert.throws(() => parseBindAddress(text, 7), /Expected IP:PORT/))
  }

  test('formatBindAddress() writes what it reads', () => {
    for (const text of ['127.0.0.1:1', '[::1]:80', ':80'])
      assert.equal(formatBindAddress(parseBindAddress(text, 1)), text)
  })
})

describe('EndpointServer', () => {
  test('answers GET and HEAD, refuses the rest, says why it fails', async (t) => {
    const port = await freePort(t)
    const server = new EndpointServer({
      name: 'a test',
      address: { host: '127.0.0.1', port },
      answer: (path) => {
        if (path === '/fails') throw new Error('no luck')
        return path === '/a' ? textAnswer(200, 'yes') : undefined
      },
      onError: assert.fail,
    })
    t.after(() => server.close())
    await until(() => server.listening !== undefined)
    const ask = async (path: string, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method })
      return [response.status, await response.text()]
    }
    assert.deepEqual(await ask('/a?x=1'), [200, 'yes'])
    assert.deepEqual(await ask('/a', 'HEAD'), [200, ''])
    assert.deepEqual(await ask('/b'), [404, 'not found\n'])
    assert.deepEqual(await ask('/a', 'POST'), [405, 'only GET and HEAD\n'])
    assert.deepEqual(await ask('/fails'), [500, 'no luck\n'])
  })

  test('names the port that it cannot have, and gets it when it is free', { timeout: 20_000 }, async (t) => {
    const { port, server: other } = await takePort(t)
    const errors: EndpointServerError[] = []
    const server = new EndpointServer({
      name: 'health checks',
      address: { host: undefined, port },
      answer: () => textAnswer(200, 'mine'),
      onError: (error) => errors.push(error),
    })
    t.after(() => server.close())
    await until(() => errors.length > 0)
    assert.equal(errors[0]?.message, `Cannot serve health checks on :${port}: EADDRINUSE`)
    assert.equal(errors[0]?.code, 'CANNOT_LISTEN')
    assert.equal(server.listening, undefined)
    other.close()
    other.closeAllConnections()
    // The wait for the next try does not keep a process alive: this does.
    await until(() => server.listening !== undefined)
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'mine')
  })
})

describe('healthCheckNodePort', () => {
  const local = (port: number, addresses: readonly string[], rest: object = {}): ServicePlan =>
    plan(service({ type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: port, ...rest }), [
      slice(addresses.map((address) => on('node-a', address))),
    ])

  test('a port that is new or another starts with no endpoint', () => {
    const health = new ServiceHealth()
    assert.deepEqual(health.setPorts(new Map([['default/web', 30100]])), {
      close: [],
      open: [{ service: 'default/web', port: 30100 }],
    })
    assert.equal(health.answer('default/web', true)?.status, 503)
    health.setEndpoints('default/web', 2)
    assert.equal(health.answer('default/web', true)?.status, 200)
    assert.deepEqual(health.setPorts(new Map([['default/web', 30100]])), { close: [], open: [] })
    assert.equal(health.answer('default/web', true)?.status, 200, 'the same port keeps its count')
    assert.deepEqual(health.setPorts(new Map([['default/web', 30101]])), {
      close: [{ service: 'default/web', port: 30100 }],
      open: [{ service: 'default/web', port: 30101 }],
    })
    assert.equal(health.answer('default/web', true)?.headers['X-Load-Balancing-Endpoint-Weight'], '0')
    health.setPorts(new Map())
    assert.equal(health.answer('default/web', true), undefined)
  })

  test('an unhealthy proxy answers 503, and says so', () => {
    const health = new ServiceHealth()
    health.setPorts(new Map([['shop/web', 30100]]))
    health.setEndpoints('shop/web', 3)
    const answer = health.answer('shop/web', false)
    assert.equal(answer?.status, 503)
    assert.deepEqual(JSON.parse(answer?.body ?? ''), {
      service: { namespace: 'shop', name: 'web' },
      localEndpoints: 3,
      serviceProxyHealthy: false,
    })
  })

  test('healthCheckPorts() gives a contested port to the first by name', () => {
    const wanted = new Map([
      ['default/b', 30100],
      ['default/a', 30100],
      ['default/c', 30101],
    ])
    assert.deepEqual(
      healthCheckPorts(wanted),
      new Map([
        ['default/a', 30100],
        ['default/c', 30101],
      ]),
    )
  })

  test('a server follows the plans: port, programmed endpoints, the end', async (t) => {
    const [first, second] = [await freePort(t), await freePort(t)]
    let healthy = true
    const servers = new ServiceHealthServers({ isHealthy: () => healthy, onError: assert.ifError })
    t.after(() => servers.close())
    const ask = async (port: number) => {
      const response = await fetch(`http://127.0.0.1:${port}/any/path`)
      const { localEndpoints } = (await response.json()) as { localEndpoints: number }
      return [response.status, response.headers.get('x-load-balancing-endpoint-weight'), localEndpoints]
    }
    const plans = new Map([['default/web', local(first, ['10.1.0.1', '10.1.0.2', '10.1.0.2'])]])
    servers.setPlans(plans, plans.keys())
    await until(() => servers.listening.get('default/web') === first)
    assert.deepEqual(await ask(first), [503, '0', 0], 'nothing is programmed yet')
    servers.setProgrammed(plans)
    assert.deepEqual(await ask(first), [200, '2', 2], 'counted by distinct address')
    healthy = false
    assert.deepEqual(await ask(first), [503, '2', 2])
    healthy = true

    plans.set('default/web', local(second, ['10.1.0.1']))
    servers.setPlans(plans, ['default/web'])
    await until(() => servers.listening.get('default/web') === second)
    await assert.rejects(ask(first), 'the old port is closed')
    assert.deepEqual(await ask(second), [503, '0', 0])
    servers.setProgrammed(plans)
    assert.deepEqual(await ask(second), [200, '1', 1])

    plans.delete('default/web')
    servers.setPlans(plans, ['default/web'])
    await assert.rejects(ask(second))
    assert.equal(servers.listening.size, 0)
  })
})
