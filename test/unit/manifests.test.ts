// SPDX-License-Identifier: Apache-2.0
/** A folder of manifests: read, watched, and never lost to a bad or half-written file. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { readAllocations, writeAllocations } from '../../src/source/allocation-state.ts'
import type { Manifests } from '../../src/source/derive-objects.ts'
import { ManifestFolder, SETTLE_MS } from '../../src/source/manifest-folder.ts'
import { loadManifests, watchManifests } from '../../src/source/manifests.ts'

async function folder(context: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'maglane-manifests-'))
  context.after(() => rm(path, { recursive: true }))
  return path
}

const serviceText = (name: string, port: number | string = 80) =>
  `apiVersion: v1\nkind: Service\nmetadata:\n  name: ${name}\nspec:\n  ports:\n    - port: ${port}\n`

const names = (manifests: Manifests) =>
  [...manifests.objects.services.keys()].map((key) => key.replace('default/', '')).sort()

describe('loadManifests()', () => {
  test('reads YAML documents, JSON and Lists, in subfolders too', async (context) => {
    const path = await folder(context)
    await mkdir(join(path, 'sub', '.hidden'), { recursive: true })
    await writeFile(join(path, 'a.yaml'), `---\n${serviceText('a')}---\n# nothing\n---\n${serviceText('b')}`)
    await writeFile(
      join(path, 'sub', 'c.json'),
      JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'c' }, spec: { ports: [{ port: 80 }] } }),
    )
    const item = (name: string) => ({ metadata: { name }, spec: { ports: [{ port: 80 }] } })
    await writeFile(
      join(path, 'd.yml'),
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [{ apiVersion: 'v1', kind: 'Service', ...item('d') }] }),
    )
    await writeFile(join(path, 'e.json'), JSON.stringify({ apiVersion: 'v1', kind: 'ServiceList', items: [item('e')] }))
    await writeFile(join(path, 'sub', '.hidden', 'f.yaml'), serviceText('f'))
    await writeFile(join(path, 'g.yaml~'), serviceText('g'))
    const manifests = await loadManifests(path)
    assert.deepEqual([names(manifests), manifests.errors, manifests.notes], [['a', 'b', 'c', 'd', 'e'], [], []])
    assert.equal(manifests.objects.origins?.get('Service default/c'), 'sub/c.json')
  })

  test('a bad document is an error that names file, object and field; everything else stays', async (context) => {
    const path = await folder(context)
    await writeFile(
      join(path, 'bad.yaml'),
      `${serviceText('good')}---\n${serviceText('bad', 'eighty')}---\nmetadata: {name: x}\n---\na: [1\n`,
    )
    const manifests = await loadManifests(path)
    assert.deepEqual(names(manifests), ['good'])
    assert.deepEqual(
      manifests.errors.map(({ source, object, field }) => [source, object, field]),
      [
        ['bad.yaml', 'Service default/bad', 'spec.ports[0].port'],
        ['bad.yaml', 'document 3', 'kind'],
        ['bad.yaml', 'document 4', ''],
      ],
    )
  })

  test('kinds that are not read are noted once; another API’s Service is not ours', async (context) => {
    const path = await folder(context)
    const knative = serviceText('k').replace('apiVersion: v1', 'apiVersion: serving.knative.dev/v1')
    const map = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n'
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n'
    await writeFile(join(path, 'a.yaml'), [knative, map, map, namespace].join('---\n'))
    const manifests = await loadManifests(path)
    assert.deepEqual([names(manifests), manifests.errors], [[], []])
    assert.deepEqual(manifests.notes, ['serving.knative.dev/v1 Service is not read', 'v1 ConfigMap is not read'])
  })

  test('an object in two files: the first file has it', async (context) => {
    const path = await folder(context)
    await writeFile(join(path, 'a.yaml'), serviceText('web', 80))
    await writeFile(join(path, 'b.yaml'), serviceText('web', 81))
    const manifests = await loadManifests(path)
    assert.equal(manifests.objects.services.get('default/web')?.spec.ports[0]?.port, 80)
    assert.deepEqual(manifests.errors, [
      {
        source: 'b.yaml',
        object: 'Service default/web',
        field: '',
        message: 'Already defined in a.yaml, which is used',
      },
    ])
  })

  test('a Service with addresses, ports and slices of its own is left as it is', async (context) => {
    const path = await folder(context)
    const objects = [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: {
          type: 'NodePort',
          clusterIPs: ['172.30.0.7'],
          selector: { app: 'web' },
          ports: [{ port: 80, nodePort: 31_234 }],
        },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'web-x', labels: { 'kubernetes.io/service-name': 'web' } },
        addressType: 'IPv4',
        ports: [{ port: 80 }],
        endpoints: [{ addresses: ['10.1.0.1'] }],
      },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web-1', labels: { app: 'web' } },
        spec: {},
        status: { podIP: '10.1.0.9' },
      },
      {
        apiVersion: 'v1',
        kind: 'Endpoints',
        metadata: { name: 'web' },
        subsets: [{ addresses: [{ ip: '10.1.0.1' }], ports: [{ port: 80 }] }],
      },
    ]
    for (const object of objects) await writeFile(join(path, `${object.kind}.json`), JSON.stringify(object))
    const { objects: set } = await loadManifests(path)
    const spec = set.services.get('default/web')?.spec
    assert.deepEqual([spec?.clusterIPs, spec?.ports[0]?.nodePort], [['172.30.0.7'], 31_234])
    assert.deepEqual([...set.endpointSlices.keys()], ['default/web-x'])
  })

  test('the examples are read without a fault, and give each Service its endpoints', async () => {
    const manifests = await loadManifests(new URL('../../examples', import.meta.url).pathname)
    assert.deepEqual([manifests.errors, manifests.notes], [[], []])
    assert(manifests.workloads.size > 0)
    for (const { spec } of manifests.objects.services.values())
      assert(spec.type === 'ExternalName' || spec.clusterIPs.length > 0)
  })

  test('a folder that is not there is an error', async () => {
    await assert.rejects(loadManifests('/nonexistent/manifests'), { code: 'MANIFEST_FOLDER' })
  })
})

describe('ManifestFolder', () => {
  const serviceNames = (files: ManifestFolder) => files.contents().objects.map(({ name }) => name)

  test('an object that turned bad stays as it last was good, and says so', async (context) => {
    const path = await folder(context)
    const file = join(path, 'a.yaml')
    await writeFile(file, `${serviceText('a')}---\n${serviceText('b')}`)
    const files = new ManifestFolder(path)
    await files.scan(0)
    await writeFile(file, `${serviceText('a', 'x')}---\n${serviceText('b', 81)}`)
    assert.equal((await files.scan(1)).changed, true)
    const { objects, errors } = files.contents()
    assert.deepEqual(objects.map(({ name }) => name).sort(), ['Service default/a', 'Service default/b'])
    assert.equal(errors.length, 1)
    assert.match(errors[0]?.message ?? '', /got 'x'; the last good version stays in force$/)
  })

  test('a file that is no YAML any more keeps all its objects', async (context) => {
    const path = await folder(context)
    await writeFile(join(path, 'a.yaml'), serviceText('a'))
    const files = new ManifestFolder(path)
    await files.scan(0)
    await writeFile(join(path, 'a.yaml'), 'a: [1')
    await files.scan(1)
    await files.scan(1 + SETTLE_MS)
    assert.deepEqual(serviceNames(files), ['Service default/a'])
    assert.match(files.contents().errors[0]?.message ?? '', /the last good version stays in force$/)
  })

  test('a file that is truncated or gone is believed when that lasts', async (context) => {
    const path = await folder(context)
    const file = join(path, 'a.yaml')
    for (const take of [() => truncate(file), () => rm(file)]) {
      await writeFile(file, serviceText('a'))
      const files = new ManifestFolder(path)
      await files.scan(0)
      await take()
      assert.deepEqual(await files.scan(10), { changed: false, unsettled: true })
      assert.deepEqual(await files.scan(9 + SETTLE_MS), { changed: false, unsettled: true })
      assert.deepEqual(serviceNames(files), ['Service default/a'])
      assert.deepEqual(await files.scan(10 + SETTLE_MS), { changed: true, unsettled: false })
      assert.deepEqual(serviceNames(files), [])
    }
  })

  test('a file that is back in time was never gone', async (context) => {
    const path = await folder(context)
    const file = join(path, 'a.yaml')
    await writeFile(file, serviceText('a'))
    const files = new ManifestFolder(path)
    await files.scan(0)
    await rename(file, `${file}~`)
    await files.scan(1)
    await writeFile(file, serviceText('a', 81))
    assert.deepEqual(await files.scan(2 + SETTLE_MS), { changed: true, unsettled: false })
    assert.deepEqual(serviceNames(files), ['Service default/a'])
  })
})

describe('watchManifests()', () => {
  /** Watches a folder; `next` resolves with the first reading for which the condition holds. */
  function watching(path: string, signal: AbortSignal) {
    let latest: Manifests | undefined
    let check = () => {}
    const done = watchManifests(path, {
      signal,
      onChange: (manifests) => {
        latest = manifests
        check()
      },
    })
    const next = (condition: (manifests: Manifests) => boolean) =>
      new Promise<Manifests>((resolve, reject) => {
        check = () => {
          if (latest && condition(latest)) resolve(latest)
        }
        done.catch(reject)
        check()
      })
    return { next, done }
  }

  test('sees files that come, change, are replaced, move and go, in new folders too', {
    timeout: 20_000,
  }, async (context) => {
    const path = await folder(context)
    const ending = new AbortController()
    const { next, done } = watching(path, ending.signal)
    await next((manifests) => manifests.objects.services.size === 0)
    await writeFile(join(path, 'a.yaml'), serviceText('a'))
    const first = await next((manifests) => names(manifests).join() === 'a')
    await writeFile(join(path, 'b.yaml'), serviceText('b'))
    const second = await next((manifests) => names(manifests).join() === 'a,b')
    assert.equal(
      second.objects.services.get('default/a'),
      first.objects.services.get('default/a'),
      'what did not change is the same object',
    )
    await writeFile(join(path, '.a.swp'), serviceText('a', 81))
    await rename(join(path, '.a.swp'), join(path, 'a.yaml'))
    await next((manifests) => manifests.objects.services.get('default/a')?.spec.ports[0]?.port === 81)
    await mkdir(join(path, 'sub'))
    await writeFile(join(path, 'sub', 'c.yaml'), serviceText('c'))
    await next((manifests) => names(manifests).join() === 'a,b,c')
    await rm(join(path, 'a.yaml'))
    const last = await next((manifests) => names(manifests).join() === 'b,c')
    assert.deepEqual(
      last.objects.services.get('default/b')?.spec.clusterIPs,
      second.objects.services.get('default/b')?.spec.clusterIPs,
    )
    ending.abort()
    await done
  })

  test('an existing Service keeps its address when a new one comes', { timeout: 20_000 }, async (context) => {
    const path = await folder(context)
    const ending = new AbortController()
    for (let index = 0; index < 6; index++) await writeFile(join(path, `s${index}.yaml`), serviceText(`s${index}`))
    const readings: Manifests[] = []
    const done = watchManifests(path, {
      signal: ending.signal,
      serviceCidrs: ['10.96.0.0/28'],
      onChange: async (manifests) => {
        readings.push(manifests)
        if (readings.length === 1)
          for (let index = 0; index < 6; index++)
            await writeFile(join(path, `a${index}.yaml`), serviceText(`a${index}`))
        if (manifests.objects.services.size === 12) ending.abort()
      },
    })
    await done
    const first = readings[0]?.allocations ?? {}
    const last = readings.at(-1)?.allocations ?? {}
    assert.equal(Object.keys(first).length, 6)
    for (const [key, allocation] of Object.entries(first)) assert.deepEqual(last[key], allocation)
  })

  test('ends when onChange throws', async (context) => {
    const path = await folder(context)
    const onChange = () => {
      throw new Error('no more')
    }
    await assert.rejects(watchManifests(path, { signal: new AbortController().signal, onChange }), /no more/)
  })
})

test('allocations survive in a file', async (context) => {
  const path = join(await folder(context), 'state.json')
  assert.deepEqual(await readAllocations(path), {})
  const allocations = {
    'default/web': { clusterIPs: ['10.96.0.9'], nodePorts: { 'TCP 80': 30_001 }, healthCheckNodePort: 0 },
  }
  await writeAllocations(path, allocations)
  assert.deepEqual(await readAllocations(path), allocations)
  await writeFile(path, '{"default/web": {"clusterIPs": 1}}')
  await assert.rejects(readAllocations(path), {
    code: 'ALLOCATION_STATE',
    message: /default\/web\.clusterIPs: Expected a list/,
  })
})
