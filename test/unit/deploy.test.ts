// SPDX-License-Identifier: Apache-2.0
/** What deploy/ and docs/ say of flags, configuration and metrics is what the agent has. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { parse, parseAllDocuments } from 'yaml'
import { command } from '../../src/cli/agent.ts'
import { parseCommand } from '../../src/cli/parse.ts'
import { readKubeProxyConfig } from '../../src/config/kube-proxy-config.ts'
import { KubeProxyMetrics } from '../../src/metrics/kube-proxy-metrics.ts'
import { MaglaneMetrics } from '../../src/metrics/maglane-metrics.ts'

const deploy = join(import.meta.dirname, '../../deploy')
const read = (path: string) => readFileSync(join(deploy, path), 'utf8')

interface Container {
  readonly args: readonly string[]
  readonly volumeMounts: readonly { readonly name: string }[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly livenessProbe: { readonly httpGet: { readonly path: string; readonly port: string } }
  readonly securityContext: {
    readonly privileged: boolean
    readonly readOnlyRootFilesystem: boolean
    readonly capabilities: { readonly drop: readonly string[]; readonly add: readonly string[] }
  }
}

function daemonSet() {
  const { spec } = parse(read('kustomize/base/daemon-set.yaml')).spec.template
  const [container] = spec.containers as readonly Container[]
  assert(container)
  return { spec, container }
}

for (const path of globSync('{kustomize,helm/maglane}/**/*.{yaml,conf,json}', { cwd: deploy })) {
  if (path.includes('/templates/')) continue
  test(`deploy/${path} can be read`, () => {
    if (path.endsWith('.json')) assert.doesNotThrow(() => JSON.parse(read(path)))
    else for (const document of parseAllDocuments(read(path))) assert.deepEqual([...document.errors], [])
  })
}

describe('the DaemonSet', () => {
  test('gives flags that the agent has', () => {
    const { container } = daemonSet()
    const [name, ...words] = container.args
    assert.equal(name, 'agent')
    assert.doesNotThrow(() => parseCommand(command, words))
  })

  test('mounts what it has, and is asked where the agent answers', () => {
    const { spec, container } = daemonSet()
    const volumes = (spec.volumes as readonly { readonly name: string }[]).map(({ name }) => name)
    assert.deepEqual(container.volumeMounts.map(({ name }) => name).sort(), volumes.sort())
    const { path, port } = container.livenessProbe.httpGet
    assert.equal(path, '/livez')
    assert.equal(container.ports.find(({ name }) => name === port)?.containerPort, 10_256)
  })

  test('is not privileged, and the chart asks for the same capabilities', () => {
    const { securityContext } = daemonSet().container
    assert.deepEqual([securityContext.privileged, securityContext.readOnlyRootFilesystem], [false, true])
    assert.deepEqual(securityContext.capabilities.drop, ['ALL'])
    const template = read('helm/maglane/templates/daemon-set.yaml')
    const asked = [...template.matchAll(/^ {16}- ([A-Z_]+)$/gm)].map(([, name]) => name)
    assert.deepEqual(asked, [...securityContext.capabilities.add, 'SYS_RESOURCE'])
  })

  test('the kustomize base and the chart have the same roles', () => {
    const [document] = parseAllDocuments(read('kustomize/base/rbac.yaml'))
    const base = document?.toJS() as { readonly rules: readonly { readonly verbs: readonly string[] }[] }
    const template = read('helm/maglane/templates/rbac.yaml')
    const rules = template.slice(template.indexOf('\nrules:'), template.indexOf('\n---'))
    assert.deepEqual(parse(rules), { rules: base.rules })
    const verbs = base.rules.flatMap((rule) => rule.verbs)
    assert.deepEqual([...new Set(verbs)].sort(), ['get', 'list', 'watch'])
  })
})

describe('configuration files', () => {
  const files = ['kustomize/base/config.conf', 'kustomize/kubeadm/config.conf'].map(
    (path) => [path, read(path)] as const,
  )
  const header = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'
  const values = JSON.stringify(parse(read('helm/maglane/values.yaml')).config)
  const chart = ['helm/maglane/values.yaml', JSON.stringify({ ...parse(header), ...JSON.parse(values) })] as const
  for (const [path, text] of [...files, chart]) {
    test(`${path} has nothing that means nothing`, () => {
      assert.deepEqual(readKubeProxyConfig(text, path).notes, [])
    })
  }
})

describe('metrics that are asked for exist', async () => {
  const registry = new Registry()
  new KubeProxyMetrics({ registry })
  new MaglaneMetrics(registry, '0.0.0')
  collectDefaultMetrics({ register: registry })
  const known = new Set(registry.getMetricsAsArray().map(({ name }) => name))
  const asked = (text: string) =>
    [...text.matchAll(/\b(?:maglane|kubeproxy|process)_[a-z_]+/g)].map(([name]) =>
      name.replace(/_(bucket|sum|count)$/, ''),
    )
  const files = [
    ['helm/maglane/files/rules.yaml', read('helm/maglane/files/rules.yaml')],
    ['helm/maglane/files/maglane.json', read('helm/maglane/files/maglane.json')],
  ] as const
  for (const [path, text] of files) {
    test(path, () => {
      const names = asked(text)
      assert.ok(names.length > 10)
      assert.deepEqual(
        names.filter((name) => !known.has(name)),
        [],
      )
    })
  }

  test('docs/metrics.md lists every metric of maglane and kube-proxy, and no other', () => {
    const listed = new Set(asked(readFileSync(join(deploy, '../docs/metrics.md'), 'utf8')))
    const own = [...known].filter((name) => /^(maglane|kubeproxy)_/.test(name))
    assert.deepEqual([...listed].filter((name) => !name.startsWith('process_')).sort(), own.sort())
  })

  test('alerts have a severity and say what is wrong', () => {
    const [group] = parse(read('helm/maglane/files/rules.yaml')).groups
    for (const { alert, labels, annotations } of group.rules) {
      assert.match(labels.severity, /^(warning|critical)$/, alert)
      assert.ok(annotations.summary && annotations.description, alert)
    }
  })
})

test('docs/operations.md lists every flag of the agent', () => {
  const text = readFileSync(join(deploy, '../docs/operations.md'), 'utf8')
  const table = text.split('\n').filter((line) => line.startsWith('| `--'))
  const listed = new Set(
    table.flatMap((line) => [...line.split('|')[1]!.matchAll(/--([a-z-]+)/g)].map(([, name]) => name)),
  )
  assert.deepEqual([...listed].sort(), Object.keys(command.options).sort())
})
