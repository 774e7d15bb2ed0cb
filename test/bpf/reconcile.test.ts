// SPDX-License-Identifier: Apache-2.0
/** The agent as a process: what outlives it, what the next one takes over, that there is only one. */

import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { BPFFS, pinnedNames, removePinDirectory } from '../../src/bpf/bpffs.ts'
import { BpfLink } from '../../src/bpf/link.ts'
import { openPinnedMaps } from '../../src/bpf/maps.ts'
import { cgroupRoot } from '../../src/node/cgroup-root.ts'

const skip = process.getuid?.() === 0 ? false : 'needs root'
const main = new URL('../../src/cli/main.ts', import.meta.url).pathname

const manifest = (address: string) => `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [${address}]}]
`

/** A namespace with one device, a cgroup, a folder of manifests; all gone after the test. */
function world(context: TestContext) {
  const name = `mlr${process.pid}`
  const cgroup = join(cgroupRoot() ?? '', name)
  const folder = mkdtempSync(join(tmpdir(), 'maglane-reconcile-'))
  const children: ChildProcess[] = []
  context.after(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    removePinDirectory(`${BPFFS}/maglane/${name}`)
    execFileSync('ip', ['netns', 'delete', name])
    rmdirSync(cgroup)
    rmSync(folder, { recursive: true })
    rmSync(`/run/maglane/${name}.pid`, { force: true })
  })
  execFileSync('ip', ['netns', 'add', name])
  mkdirSync(cgroup)
  execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
  const start = (readyFile: string) => {
    const sizes = 'arena=65536,flows=1024,frontends=1024,members=1024,backends=1024'
    const options = [
      '--manifests',
      folder,
      '--node',
      'a',
      '--instance',
      name,
      '--cgroup',
      cgroup,
      '--map-size',
      sizes,
      '--xdp',
      'native',
    ]
    const command = [process.execPath, main, 'agent', ...options, '--ready-file', readyFile]
    const child = spawn('nsenter', [`--net=/run/netns/${name}`, '--', ...command], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    children.push(child)
    return child
  }
  return { name, folder, start, maps: `${BPFFS}/maglane/${name}/maps`, links: `${BPFFS}/maglane/${name}/links` }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const end = performance.now() + 20_000; !condition(); ) {
    if (performance.now() > end) throw new Error(`Waited in vain: ${what}`)
    await delay(20)
  }
}

function linkIds(directory: string): Record<string, number> {
  const ids: Record<string, number> = {}
  for (const name of pinnedNames(directory)) {
    using link = BpfLink.openPinned(join(directory, name))
    if (link) ids[name] = link.info().id
  }
  return ids
}

function backendsOf(directory: string): string[] {
  using pinned = openPinnedMaps(directory)
  const { backends } = pinned.maps
  return Array.from({ length: backends.length }, (_, id) => backends.get(id))
    .filter((backend) => backend.flags & 1)
    .map((backend) => backend.addr.subarray(12).join('.'))
}

test('an agent that is killed leaves everything attached, the next one takes it over, a second one refuses', {
  skip,
}, async (context) => {
  const { name, folder, start, maps, links } = world(context)
  writeFileSync(join(folder, 'web.yaml'), manifest('10.0.0.1'))
  const [firstReady, secondReady] = [join(folder, 'first'), join(folder, 'second')]
  const first = start(firstReady)
  await until('the agent is ready', () => existsSync(firstReady) || first.exitCode !== null)
  const attached = linkIds(links)
  assert.ok(Object.keys(attached).some((link) => link.startsWith('tc_net_in_')))
  assert.ok(Object.keys(attached).includes('sock_connect4'))

  const intruder = start(join(folder, 'intruder'))
  let said = ''
  intruder.stderr?.on('data', (chunk) => {
    said += chunk
  })
  const [status] = await once(intruder, 'close')
  assert.equal(status, 1)
  assert.match(said, new RegExp(`Instance ${name} has an agent already`))

  first.kill('SIGKILL')
  await once(first, 'exit')
  assert.deepEqual(linkIds(links), attached)
  writeFileSync(join(folder, 'web.yaml'), manifest('10.0.0.2'))
  const second = start(secondReady)
  await until('the next agent is ready', () => existsSync(secondReady) || second.exitCode !== null)
  assert.deepEqual(linkIds(links), attached)
  assert.deepEqual(backendsOf(maps), ['10.0.0.2'])

  writeFileSync(join(folder, 'web.yaml'), manifest('10.0.0.3'))
  await until('the change is programmed', () => backendsOf(maps).join() === '10.0.0.3')
  execFileSync('ip', ['-n', name, 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up1'])
  execFileSync('ip', ['-n', name, 'address', 'add', '192.0.2.1/24', 'dev', 'up0'])
  execFileSync('ip', ['-n', name, 'link', 'set', 'up0', 'up'])
  await until(
    'the new device is attached to',
    () => pinnedNames(links).filter((pin) => pin.startsWith('xdp_net')).length === 1,
  )
  execFileSync('ip', ['-n', name, 'link', 'delete', 'up0'])
  await until('the gone device is let go', () => !pinnedNames(links).some((pin) => pin.startsWith('xdp_net')))
  second.kill('SIGTERM')
  const [code] = await once(second, 'exit')
  assert.equal(code, 0)
  assert.deepEqual(linkIds(links), attached)
})
