// SPDX-License-Identifier: Apache-2.0
/** Connections that another proxy's rules translated outlive the arrival of maglane, and those rules' departure. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLab, type Where } from '../../src/lab/lab.ts'
import { until } from '../../src/lab/until.ts'
import { clusterAddress, podPorts, service, servicePort } from './objects.ts'
import { skipWithoutRoot } from './skip.ts'

const callers: readonly Where[] = ['client-a', 'node-a', 'outside']

/** What kube-proxy writes for one Service with one endpoint, in the form of its nftables mode. */
function dnatRules(family: 'ip' | 'ip6', vip: string, pod: string): string {
  const destination = family === 'ip' ? `${pod}:8080` : `[${pod}]:8080`
  const rule = `${family} daddr ${vip} tcp dport ${servicePort} dnat to ${destination}`
  const chain = (hook: string) => `chain ${hook} {\n type nat hook ${hook} priority -100\n ${rule}\n }`
  return `table ${family} other-proxy {\n ${chain('prerouting')}\n ${chain('output')}\n }`
}

for (const socketLb of ['all', 'off'] as const) {
  test(`connections of another proxy live on under maglane with --socket-lb ${socketLb}`, skipWithoutRoot, async () => {
    await using lab = await createLab({ agents: false, socketLb })
    await lab.pods.create([{ name: 'old', node: 'node-a', labels: { app: 'old' }, ports: podPorts }])
    const vip = clusterAddress(1)
    const pod = lab.pod('old').addresses
    const rules = `${dnatRules('ip', vip.ipv4, pod.ipv4)}\n${dnatRules('ip6', vip.ipv6, pod.ipv6)}`
    assert.deepEqual(await lab.exec('node-a', ['nft', rules]), { code: 0, stdout: '', stderr: '' })
    const targets = Object.values(vip).map((address) => ({ proto: 'tcp' as const, address, port: servicePort }))
    const cases = callers.flatMap((from) => targets.map((target) => ({ from, target })))
    const kept = await Promise.all(cases.map(({ from, target }) => lab.open(from, target)))
    for (const connection of kept) assert.equal((await connection.ask()).pod, 'old')

    await lab.pods.create([{ name: 'new', node: 'node-a', labels: { app: 'new' }, ports: podPorts }])
    // The Service has other endpoints by now, so that a connection that is chosen for anew shows.
    await lab.apply(service('new', 1))
    await lab.agents.start(lab.node('node-a'))
    for (const family of ['ip', 'ip6']) await lab.exec('node-a', ['nft', `delete table ${family} other-proxy`])

    for (const [index, { from, target }] of cases.entries()) {
      assert.equal((await kept[index]!.ask()).pod, 'old', `${from} → ${target.address} keeps its connection`)
      const fresh = await until('the Service is programmed', async () => await lab.request(from, target))
      assert.equal(fresh.pod, 'new', `${from} → ${target.address} anew`)
      assert.equal((await kept[index]!.ask()).pod, 'old', `${from} → ${target.address} still keeps it`)
    }
  })
}
