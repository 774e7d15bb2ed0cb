// SPDX-License-Identifier: Apache-2.0
/**
 * Makes sure that the programs of a Kubernetes control plane are there: `node scripts/kube-assets.ts` prints where.
 *
 * What neither `KUBEBUILDER_ASSETS` nor `PATH` has is built once, by Go, into a cache under the home folder: ten minutes on
 * two cores, 330 MB. etcd comes out of Debian's package, unpacked into the cache: installed, it would start a service.
 * Without Go nothing is built; that is said, and is no failure.
 */

import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { $, argv, chalk } from 'zx'
import {
  canBuildKubeAssets,
  findKubeAssets,
  KUBE_ASSETS_MODULE,
  kubeAssetsCache,
  kubernetesVersion,
} from '../src/kube-test/kube-assets.ts'

const cache = kubeAssetsCache()
const run = $({ quiet: true })
const say = (text: string) => console.error(`kube-assets: ${text}`)

if (findKubeAssets().missing.length > 0) {
  mkdirSync(cache, { recursive: true })
  // Two runs take turns; the second finds what the first has built.
  if (argv.locked === true) await complete()
  else await $({ stdio: 'inherit' })`flock ${join(cache, '.lock')} ${process.execPath} ${import.meta.filename} --locked`
}
if (argv.locked !== true) report()

function report(): void {
  const { found, missing } = findKubeAssets()
  for (const [tool, path] of Object.entries(found)) console.log(`${tool.padEnd(24)} ${path}`)
  if (missing.length === 0) return
  console.log(chalk.yellow(`MISSING: ${missing.join(', ')}`))
  console.log(
    chalk.yellow('What needs a real API server is SKIPPED. Install Go 1.26 or newer, or set KUBEBUILDER_ASSETS'),
  )
}

async function complete(): Promise<void> {
  if (findKubeAssets().missing.includes('etcd')) await unpackEtcd()
  if (findKubeAssets().missing.every((tool) => tool === 'etcd')) return
  if (canBuildKubeAssets()) await buildTools()
  else say('no Go that is new enough')
}

async function unpackEtcd(): Promise<void> {
  const folder = mkdtempSync(join(cache, 'etcd-'))
  try {
    say("unpacking etcd from Debian's etcd-server")
    const download = () =>
      // Not as apt's own user, who may not write there.
      run({ cwd: folder, nothrow: true })`apt-get -o APT::Sandbox::User=root download etcd-server`
    let downloaded = await download()
    if (!downloaded.ok && process.getuid?.() === 0) {
      // A machine whose list of packages is not there, or old.
      await run({ nothrow: true })`apt-get update`
      downloaded = await download()
    }
    const [archive] = readdirSync(folder)
    if (!downloaded.ok || archive === undefined) {
      say(`no etcd: ${downloaded.stderr.trim().split('\n').at(-1) ?? ''}`)
      return
    }
    await run({ cwd: folder })`dpkg-deb --extract ${archive} .`
    renameSync(join(folder, 'usr/bin/etcd'), join(cache, 'etcd'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function buildTools(): Promise<void> {
  const folder = mkdtempSync(join(cache, 'build-'))
  const version = kubernetesVersion()
  const [major, minor] = version.slice(1).split('.')
  const stamp = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' }
  const stamps = ['k8s.io/client-go/pkg/version', 'k8s.io/component-base/version'].flatMap((where) =>
    Object.entries(stamp).map(([name, value]) => `-X ${where}.${name}=${value}`),
  )
  const flags = ['-mod=readonly', '-buildvcs=false', '-trimpath', '-ldflags', ['-s', '-w', ...stamps].join(' ')]
  const go = run({ cwd: KUBE_ASSETS_MODULE, env: { ...process.env, CGO_ENABLED: '0', GOWORK: 'off' } })
  try {
    say(`building Kubernetes ${version} with ${(await go`go version`).stdout.trim()}; the first time takes ten minutes`)
    const total = (await go`go list -deps tool`).stdout.split('\n').length
    // Niced: whoever waits for it may want to go on working.
    const build = go`nice -n 19 go build -v ${flags} -o ${folder}/ tool`
    let done = 0
    for await (const line of createInterface({ input: build.stderr })) {
      done++
      if (done % 50 === 0) say(`${done} of about ${total} packages, at ${line}`)
    }
    await build
    for (const tool of readdirSync(folder)) renameSync(join(folder, tool), join(cache, tool))
    say(`built into ${cache}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
