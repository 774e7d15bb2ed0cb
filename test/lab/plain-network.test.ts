// SPDX-License-Identifier: Apache-2.0
/** The lab's own network, without any agent: what fails here is no fault of the dataplane. */

import assert from 'node:assert/strict'
import { mkdtemp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { nodeAddress, outsideClient, podCidr } from '../../src/lab/address-plan.ts'
import { cniNames } from '../../src/lab/cni.ts'
import { enterWithSys } from '../../src/lab/enter.ts'
import { createLab, type Lab } from '../../src/lab/lab.ts'
import { labsFolder } from '../../src/lab/lab-names.ts'
import { listNamespaces } from '../../src/lab/namespace.ts'
import { runChecked } from '../../src/lab/run.ts'
import { skipWithoutRoot } from './skip.ts'

const ports = [
  { name: '', protocol: 'TCP', port: 8080 },
  { name: '', protocol: 'UDP', port: 8080 },
] as const

for (const cni of cniNames) {
  describe(`the lab's network with --cni ${cni}`, skipWithoutRoot, () => {
    let lab: Lab
    before(async () => {
      lab = await createLab({ cni, agents: false })
      await lab.pods.create([
        { name: 'here', node: 'node-a', ports },
        { name: 'there', node: 'node-b', ports },
        { name: 'host', node: 'node-b', ports, hostNetwork: true },
      ])
    })
    after(async () => await lab?.close())

    for (const family of ['ipv4', 'ipv6'] as const) {
      for (const proto of ['tcp', 'udp'] as const) {
        test(`pods and nodes reach pods here and there by their own addresses, ${proto} over ${family}`, async () => {
          for (const pod of [lab.pod('here'), lab.pod('there')]) {
            const target = { proto, address: pod.addresses[family], port: 8080 }
            const fromPod = await lab.request('client-a', target)
            assert.equal(fromPod.pod, pod.name)
            assert.equal(
              fromPod.client.address,
              lab.pod('client-a').addresses[family],
              'a pod keeps its address within the cluster',
            )
            assert.equal((await lab.request('node-a', target)).pod, pod.name)
          }
        })

        test(`a pod's address is hidden from the outside, ${proto} over ${family}`, async () => {
          const target = { proto, address: nodeAddress(1)[family], port: 8080 }
          assert.equal((await lab.request('outside', target)).client.address, outsideClient[family])
          assert.equal((await lab.request('client-a', target)).client.address, nodeAddress(0)[family])
        })
      }

      test(`answers and questions larger than a packet arrive over ${family}`, async () => {
        const address = lab.pod('there').addresses[family]
        const udp = await lab.request(
          'client-a',
          { proto: 'udp', address, port: 8080 },
          { sendBytes: 4000, answerBytes: 4000 },
        )
        assert.deepEqual([udp.received, udp.answerBytes], [4000, 4000])
        const bytes = 1_000_000
        const tcp = await lab.request(
          'client-a',
          { proto: 'tcp', address, port: 8080 },
          { sendBytes: bytes, answerBytes: bytes },
        )
        assert.deepEqual([tcp.received, tcp.answerBytes], [bytes, bytes])
      })
    }

    test('the client chooses its source port and gets the system’s own errors', async () => {
      const address = lab.pod('there').addresses.ipv4
      const answer = await lab.request('client-a', { proto: 'tcp', address, port: 8080, sourcePort: 12345 })
      assert.equal(answer.client.port, 12345)
      await assert.rejects(lab.request('client-a', { proto: 'tcp', address, port: 1 }), { code: 'ECONNREFUSED' })
      await assert.rejects(lab.request('client-a', { proto: 'udp', address, port: 1 }), { code: 'ECONNREFUSED' })
    })

    test('a connection stays the same one until it is closed', async () => {
      const address = lab.pod('there').addresses.ipv6
      const connection = await lab.open('client-a', { proto: 'tcp', address, port: 8080 })
      const first = await connection.ask()
      assert.deepEqual((await connection.ask()).client, first.client)
      await connection.close()
    })

    test('netfilter tracks connections on a node, and filters strictly by reverse path', async () => {
      const { stdout: conntrack } = await lab.exec('node-a', ['cat', '/proc/sys/net/netfilter/nf_conntrack_count'])
      assert.ok(Number(conntrack) > 0)
      const { stdout: filters } = await lab.exec('node-a', ['sh', '-c', 'cat /proc/sys/net/ipv4/conf/*/rp_filter'])
      assert.deepEqual(new Set(filters.trim().split('\n')), new Set(['1']))
      const { stdout: routes } = await lab.exec('node-a', ['ip', 'route', 'show', podCidr(1).ipv4])
      assert.match(routes, cni.startsWith('vxlan') ? /dev vxlan0/ : /dev eth0/)
    })
  })
}

test('an agent’s place has the node’s devices, and the machine’s pins and cgroups', skipWithoutRoot, async () => {
  await using lab = await createLab({ agents: false })
  const { place } = lab.node('node-a')
  const folder = await mkdtemp(join(lab.folder, 'sys-'))
  const script = `ls /sys/class/net && stat -f -c %T /sys/fs/bpf && cat ${place.cgroup}/cgroup.procs && echo pid $$`
  const text = await runChecked(enterWithSys(place, folder, ['sh', '-c', script]))
  assert.match(text, /^eth0$/m)
  assert.doesNotMatch(text, /^outside$/m)
  assert.match(text, /^bpf_fs$/m)
  const [, pid] = /^pid (\d+)$/m.exec(text) ?? []
  assert.ok(text.split('\n').includes(pid ?? ''), 'the process is in the cgroup that it sees')
})

test('labs side by side do not meet, and nothing of them is left when they close', skipWithoutRoot, async () => {
  const labs = await Promise.all([createLab({ agents: false }), createLab({ agents: false })])
  const [first, second] = labs
  await Promise.all(labs.map((lab, index) => lab.pods.create([{ name: `only-${index}`, node: 'node-b', ports }])))
  const target = { proto: 'tcp', address: first.pod('only-0').addresses.ipv4, port: 8080 } as const
  assert.equal((await first.request('client-a', target)).pod, 'only-0')
  assert.equal((await second.request('client-a', target)).pod, 'only-1')
  await Promise.all(labs.map((lab) => lab.close()))
  for (const { name } of labs) {
    assert.deepEqual(await listNamespaces(name), [])
    assert.equal((await readdir(labsFolder)).includes(name), false)
  }
})
