// SPDX-License-Identifier: Apache-2.0
/** Names as programs in pods see them: through resolv.conf, the DNS Service's ClusterIP and maglane's dataplane. */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { dnsAddress } from '../../src/lab/address-plan.ts'
import { createLab, type Lab, type Where } from '../../src/lab/lab.ts'
import type { ManifestObject } from '../../src/lab/manifest.ts'
import { until } from '../../src/lab/until.ts'
import { clusterAddress, podPorts, service } from './objects.ts'
import { skipWithoutRoot } from './skip.ts'

const web = clusterAddress(1)
const domain = 'cluster.local'
/** A pod of the namespace default, and one of another namespace on the other node. */
const places = ['client-a', 'shop.caller'] as const

function withoutBackends(name: string, spec: Readonly<Record<string, unknown>>): ManifestObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec }
}

/** A question to one server over one transport, by a resolver that is not the system's. */
const ask = `
  const [server, transport, type, name] = process.argv.slice(1)
  const { decode, encode, streamDecode, streamEncode } = require('dns-packet')
  const query = { type: 'query', id: 7, flags: 256, questions: [{ type, name }] }
  const show = (packet) => {
    console.log(JSON.stringify({ flags: packet.flags, answers: packet.answers }))
    process.exit()
  }
  if (transport === 'udp') {
    const socket = require('node:dgram').createSocket(server.includes(':') ? 'udp6' : 'udp4')
    socket.on('message', (message, from) => from.address === server && show(decode(message)))
    socket.send(encode(query), 53, server)
  } else {
    const socket = require('node:net').connect(53, server, () => socket.write(streamEncode(query)))
    socket.once('data', (data) => show(streamDecode(data)))
  }
  setTimeout(() => process.exit(1), 3000)`

for (const socketLb of ['all', 'off'] as const) {
  describe(`names in pods, with --socket-lb ${socketLb}`, skipWithoutRoot, () => {
    let lab: Lab
    before(async () => {
      lab = await createLab({ socketLb, dns: true })
      await lab.apply(
        service('web', 1),
        withoutBackends('elsewhere', { type: 'ExternalName', externalName: `web.default.svc.${domain}` }),
        withoutBackends('peers', {
          clusterIP: 'None',
          selector: { app: 'peer' },
          ports: [{ name: 'http', port: 8080 }],
        }),
      )
      await lab.pods.create([
        { name: 'web-1', node: 'node-b', labels: { app: 'web' }, ports: podPorts },
        {
          name: 'peer-1',
          node: 'node-a',
          labels: { app: 'peer' },
          ports: podPorts,
          hostname: 'one',
          subdomain: 'peers',
        },
        { name: 'peer-2', node: 'node-b', labels: { app: 'peer' }, ports: podPorts },
        { name: 'caller', namespace: 'shop', node: 'node-b' },
      ])
      for (const from of places)
        await until('names are answered', async () => (await getent(from, 'web.default')).length)
      await until('the pods have names', async () => (await getent('client-a', 'peers')).length === 2)
    })
    after(async () => await lab?.close())

    /** The IPv4 addresses that the C library finds, sorted. */
    async function getent(from: Where, name: string): Promise<string[]> {
      const { stdout } = await lab.exec(from, ['getent', 'ahostsv4', name])
      const addresses = stdout
        .split('\n')
        .flatMap((line) => (line.includes('STREAM') ? (line.split(' ')[0] ?? []) : []))
      return addresses.sort()
    }

    async function dig(from: Where, server: string, transport: string, type: string, name: string) {
      const { code, stdout, stderr } = await lab.exec(from, [
        process.execPath,
        '-e',
        ask,
        server,
        transport,
        type,
        name,
      ])
      assert.equal(code, 0, `${from} asks ${server} by ${transport} for ${name}: ${stderr}`)
      return JSON.parse(stdout) as { flags: number; answers: { type: string; name: string; data: unknown }[] }
    }

    for (const name of ['web.default', 'web.default.svc', `web.default.svc.${domain}`, `WEB.Default.svc.${domain}.`]) {
      for (const from of places) {
        test(`${from} finds ${name}`, async () => assert.deepEqual(await getent(from, name), [web.ipv4]))
      }
    }

    test('the short name is that of the pod’s own namespace', async () => {
      assert.deepEqual(await getent('client-a', 'web'), [web.ipv4])
      assert.equal((await lab.exec('shop.caller', ['getent', 'hosts', 'web'])).code, 2)
    })

    test('a program calls a Service by its name', async () => {
      for (const from of places) {
        const { stdout } = await lab.exec(from, ['curl', '--silent', '--max-time', '5', 'http://web.default/'])
        assert.match(stdout, /^Hostname: web-1$/m, from)
      }
    })

    for (const transport of ['udp', 'tcp']) {
      for (const server of Object.values(dnsAddress) as string[]) {
        test(`the DNS Service answers at ${server} over ${transport}`, async () => {
          for (const from of places) {
            const a = await dig(from, server, transport, 'A', `web.default.svc.${domain}`)
            assert.deepEqual(
              a.answers.map(({ data }) => data),
              [web.ipv4],
            )
            const aaaa = await dig(from, server, transport, 'AAAA', `web.default.svc.${domain}`)
            assert.deepEqual(
              aaaa.answers.map(({ data }) => data),
              [web.ipv6],
            )
          }
        })
      }
    }

    test('an ExternalName leads to a Service of another namespace', async () => {
      assert.deepEqual(await getent('shop.caller', 'elsewhere.default'), [web.ipv4])
    })

    test('ports are found by their names, Services by their addresses', async () => {
      const srv = await dig('client-a', dnsAddress.ipv4, 'udp', 'SRV', `_http._tcp.web.default.svc.${domain}`)
      assert.deepEqual(
        srv.answers.map(({ data }) => data),
        [{ priority: 0, weight: 100, port: 80, target: `web.default.svc.${domain}` }],
      )
      const { stdout } = await lab.exec('client-a', ['getent', 'hosts', web.ipv4])
      assert.match(stdout, new RegExp(`\\sweb\\.default\\.svc\\.${domain}$`, 'm'))
    })

    test('a headless Service names its ready pods, one by one where they have a hostname', async () => {
      const [one, two] = [lab.pod('peer-1').addresses.ipv4, lab.pod('peer-2').addresses.ipv4]
      assert.deepEqual(await getent('client-a', 'peers'), [one, two].sort())
      assert.deepEqual(await getent('client-a', 'one.peers'), [one])
      await lab.pods.setState('peer-2', { ready: false })
      await until('the pod that is not ready has no name', async () => {
        return (await getent('shop.caller', 'peers.default')).join() === one
      })
      await lab.pods.setState('peer-2', { ready: true })
      await until('the pod is back', async () => (await getent('shop.caller', 'peers.default')).length === 2)
    })

    test('a name outside is refused, and no resolver of the machine is asked', async () => {
      const { flags, answers } = await dig('client-a', dnsAddress.ipv4, 'udp', 'A', 'example.com')
      assert.deepEqual([flags & 0xf, answers], [5, []])
      assert.deepEqual(await getent('client-a', 'example.com'), [])
    })

    test('a pod has the environment of the Services that were there when it started', async () => {
      const { stdout } = await lab.exec('web-1', ['env'])
      assert.match(stdout, new RegExp(`^WEB_SERVICE_HOST=${web.ipv4.replaceAll('.', '\\.')}$`, 'm'))
      assert.match(stdout, /^WEB_SERVICE_PORT_HTTP=80$/m)
      assert.doesNotMatch((await lab.exec('client-a', ['env'])).stdout, /^WEB_/m)
      assert.doesNotMatch((await lab.exec('shop.caller', ['env'])).stdout, /^WEB_/m)
    })
  })
}
