// SPDX-License-Identifier: Apache-2.0
/** An agent runs with the capabilities that deploy/ leaves it, and nothing more. */

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { parse } from 'yaml'
import { emptyCgroup, networkNamespace, skip, uniqueName } from './requires-bpf.ts'

const root = join(import.meta.dirname, '../..')
const main = join(root, 'src/cli/main.ts')
const daemonSet = parse(readFileSync(join(root, 'deploy/kustomize/base/daemon-set.yaml'), 'utf8'))
const added: readonly string[] = daemonSet.spec.template.spec.containers[0].securityContext.capabilities.add

const SIZES = ['arena=65536', 'flows=1024', 'backends=1024', 'service_stats=1024', 'frontends=1024', 'members=1024']

const service = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { clusterIP: '10.96.0.10', ports: [{ port: 80 }] },
})

for (const [what, capabilities] of [
  ['those of the DaemonSet', added],
  ['BPF, PERFMON and NET_ADMIN alone', ['BPF', 'PERFMON', 'NET_ADMIN']],
] as const) {
  test(`an agent attaches its programs with ${what}`, { skip, timeout: 60_000 }, async (t) => {
    const namespace = networkNamespace(t)
    execFileSync('nsenter', [`--net=${namespace}`, 'ip', 'address', 'add', '192.0.2.1/24', 'dev', 'near'])
    const instance = uniqueName()
    const folder = mkdtempSync(join(tmpdir(), 'maglane-'))
    t.after(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'web.json'), service)
    const bounding = ['-all', ...capabilities.map((name) => `+${name.toLowerCase()}`)].join(',')
    const agent = spawn(
      'nsenter',
      [
        ...[`--net=${namespace}`, 'setpriv', `--bounding-set=${bounding}`, '--inh-caps=-all', '--no-new-privs'],
        ...[process.execPath, main, 'agent', '--manifests', folder, '--instance', instance],
        ...['--cgroup', emptyCgroup(t), '--xdp', 'native', ...SIZES.flatMap((size) => ['--map-size', size])],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    let errors = ''
    agent.stderr.on('data', (chunk) => {
      errors += chunk
    })
    t.after(async () => {
      if (agent.exitCode === null && agent.kill('SIGTERM')) await once(agent, 'exit')
      execFileSync(process.execPath, [main, 'cleanup', '--instance', instance])
    })
    const lines = createInterface({ input: agent.stdout })
    const ready = await Promise.race([once(lines, 'line'), once(agent, 'exit')])
    assert.match(String(ready[0]), /"event":"ready"/, errors)
    assert.doesNotMatch(errors, /level=error/)
    assert.match(errors, /device=near class=net xdp=native tc=tcx/)
    const status = readFileSync(`/proc/${agent.pid}/status`, 'utf8')
    const held = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(status)?.[1]}`)
      .toString(2)
      .replaceAll('0', '').length
    assert.equal(held, capabilities.length, 'no other capability was there to help')
  })
}
