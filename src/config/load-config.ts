// SPDX-License-Identifier: Apache-2.0
/** From a file and flags to one configuration: defaults, then the file, then what the command line says. */
import { readFile } from 'node:fs/promises'
import { type Config, ConfigError, DEFAULT_CONFIG } from './config.ts'
import { type FlagValues, readConfigFlags } from './flags.ts'
import { type ReadConfig, readKubeProxyConfig } from './kube-proxy-config.ts'

export interface LoadedConfig {
  readonly config: Config
  /** What is worth saying once, at start. */
  readonly notes: readonly string[]
}

/** Rejects with {@link ConfigError}. */
export async function loadConfig(flags: FlagValues): Promise<LoadedConfig> {
  const path = typeof flags.config === 'string' ? flags.config : undefined
  const file = path === undefined ? undefined : readKubeProxyConfig(await readText(path), path)
  return mergeConfig(file, readConfigFlags(flags))
}

/** Pure. Throws {@link ConfigError} where the parts contradict each other. */
export function mergeConfig(file: ReadConfig | undefined, flags: Partial<Config>): LoadedConfig {
  const config: Config = { ...DEFAULT_CONFIG, ...file?.config, ...flags }
  const notes = [...(file?.notes ?? [])]
  if (config.detectLocalMode === 'BridgeInterface' && config.bridgeInterface === '') {
    throw new ConfigError(
      'detectLocalMode BridgeInterface',
      'set detectLocal.bridgeInterface or --pod-bridge-interface',
    )
  }
  if (config.detectLocalMode === 'InterfaceNamePrefix' && config.interfaceNamePrefix === '') {
    throw new ConfigError(
      'detectLocalMode InterfaceNamePrefix',
      'set detectLocal.interfaceNamePrefix or --pod-interface-name-prefix',
    )
  }
  if (config.detectLocalMode === 'ClusterCIDR' && config.clusterCidrs.length === 0) {
    notes.push('Without a cluster CIDR no client counts as a pod: policy Local has no short-circuit')
  }
  return { config, notes }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new ConfigError(path, cause instanceof Error ? cause.message : String(cause), { cause })
  }
}
