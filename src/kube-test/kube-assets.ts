// SPDX-License-Identifier: Apache-2.0
/** Where the programs of a control plane are: named by the environment, built by scripts/kube-assets.ts, or installed. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'

export const KUBE_TOOLS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-proxy', 'kubectl'] as const
export type KubeTool = (typeof KUBE_TOOLS)[number]

/** The Go module that names what is built. */
export const KUBE_ASSETS_MODULE = join(import.meta.dirname, '../../scripts/kube-assets')

export interface KubeAssets {
  /** Paths. */
  readonly found: Readonly<Partial<Record<KubeTool, string>>>
  readonly missing: readonly KubeTool[]
}

/** `v1.36.3`: what the Go module requires. */
export function kubernetesVersion(): string {
  const version = /^(?:require)?\s+k8s\.io\/kubernetes (v\S+)/m.exec(
    readFileSync(join(KUBE_ASSETS_MODULE, 'go.mod'), 'utf8'),
  )?.[1]
  if (version === undefined) throw new Error(`${KUBE_ASSETS_MODULE}/go.mod does not require k8s.io/kubernetes`)
  return version
}

/** Of this version, under the home folder (XDG Base Directory Specification). */
export function kubeAssetsCache(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'maglane', 'kube-assets', kubernetesVersion())
}

/**
 * Looks in `KUBEBUILDER_ASSETS`, the cache, `PATH`. The cache goes before `PATH`, where a kubectl of any age may stand,
 * but nothing is built as long as every program is found somewhere.
 */
export function findKubeAssets(environment: NodeJS.ProcessEnv = process.env): KubeAssets {
  const folders = [
    environment.KUBEBUILDER_ASSETS ?? '',
    kubeAssetsCache(environment),
    ...(environment.PATH ?? '').split(delimiter),
  ].filter((folder) => folder !== '')
  const found: Partial<Record<KubeTool, string>> = {}
  for (const tool of KUBE_TOOLS) {
    const path = folders.map((folder) => join(folder, tool)).find(isExecutable)
    if (path !== undefined) found[tool] = path
  }
  return { found, missing: KUBE_TOOLS.filter((tool) => !(tool in found)) }
}

/** The path of a tool that must be there. */
export function kubeTool(tool: KubeTool): string {
  const path = findKubeAssets().found[tool]
  if (path === undefined) throw new Error(`${tool} is missing: run node scripts/kube-assets.ts`)
  return path
}

/** Whether there is a Go that is new enough, or fetches one that is. */
export function canBuildKubeAssets(): boolean {
  return (
    spawnSync('go', ['list', '-m'], { cwd: KUBE_ASSETS_MODULE, env: { ...process.env, GOWORK: 'off' } }).status === 0
  )
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
