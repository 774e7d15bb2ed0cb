// SPDX-License-Identifier: Apache-2.0
/** Examines the node of this process, by reading: nothing is attached, pinned or set. */

import { readFileSync, readlinkSync, statSync } from 'node:fs'
import { release } from 'node:os'
import { basename, join } from 'node:path'
import { kernelFeatures } from '../agent/kernel-features.ts'
import { memoryOfMaps, pinDirectories } from '../agent/load-programs.ts'
import { programConfig } from '../agent/program-config.ts'
import { BPFFS, isBpffs, pinnedNames } from '../bpf/bpffs.ts'
import type { Config } from '../config/config.ts'
import { localDetector } from '../config/local-detector.ts'
import { networkNamespaceCookie } from '../ffi/libc.ts'
import { parseBindAddress } from '../health/bind-address.ts'
import { cgroupRoot } from '../node/cgroup-root.ts'
import { classifyDevices, type NodeDevice } from '../node/classify-devices.ts'
import { readDevices } from '../node/device-snapshot.ts'
import { ephemeralPorts, largestGap } from '../node/snat-port-range.ts'
import { checkDevices } from './check-devices.ts'
import { atLeast, checkKernel } from './check-kernel.ts'
import { checkListeners, type Listener } from './check-listeners.ts'
import { checkMemory } from './check-memory.ts'
import { checkMounts } from './check-mounts.ts'
import { checkOtherProxies } from './check-other-proxies.ts'
import { checkPorts } from './check-ports.ts'
import { checkPrograms } from './check-programs.ts'
import { checkRights } from './check-rights.ts'
import { checkSysctls } from './check-sysctls.ts'
import { type Finding, findingsOf } from './finding.ts'
import { readOtherProxies } from './read-other-proxies.ts'
import { readXdpFeatures } from './xdp-features.ts'

export interface ExamineOptions {
  readonly config: Config
  readonly instance: string
  /** Folder of the cgroup that the socket hooks would attach to; default: the root. */
  readonly cgroup: string | undefined
  /** An agent runs: its ports are taken, by itself. */
  readonly agentRuns: boolean
}

/** All findings, in the order in which things are needed. A check that fails is a finding of its own. */
export async function examineNode(options: ExamineOptions): Promise<Finding[]> {
  const { config } = options
  const snapshot = await readDevices()
  const devices = classifyDevices(snapshot, { devices: config.devices, podInterfaces: config.podInterfaces })
  const names = snapshot.links.map((link) => link.ifname)
  const checks: readonly (readonly [name: string, check: () => Finding[] | Promise<Finding[]>])[] = [
    ['rights', examineRights],
    ['kernel', examineKernel],
    ['programs', () => examinePrograms(config)],
    ['mounts', () => examineMounts(options)],
    ['memory', () => checkMemory({ maps: memoryOfMaps(config), availableBytes: availableMemory() })],
    ['devices', () => examineDevices(devices, options)],
    ['ports', () => examinePorts(config)],
    ['sysctls', () => checkSysctls({ ...config, sysctl, devices })],
    ['listeners', () => (options.agentRuns ? [] : checkListeners(listenersOf(config)))],
    ['other proxies', async () => checkOtherProxies(await readOtherProxies(names))],
  ]
  const findings: Finding[] = []
  for (const [name, check] of checks) {
    try {
      findings.push(...(await check()))
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      findings.push(findingsOf(name).error(`could not be looked at: ${message}`, 'Run as root on the node itself'))
    }
  }
  return findings
}

function examineRights(): Finding[] {
  // The kernel's own threads, which a container without hostPID does not see: kthreadd is always process 2.
  const seesNode = textOf('/proc/2/comm')?.trim() === 'kthreadd'
  const status = readFileSync('/proc/self/status', 'utf8')
  return checkRights({ status, seesNode, memlock: !atLeast(release(), 5, 11) })
}

function examineKernel(): Finding[] {
  const jit = sysctl('net/core/bpf_jit_enable')
  return checkKernel({ release: release(), features: kernelFeatures(), jit })
}

async function examinePrograms(config: Config): Promise<Finding[]> {
  const snatPorts = config.snatPortRange ??
    largestGap([await ephemeralPorts(), config.nodePortRange]) ?? { min: 1024, max: 65_535 }
  return checkPrograms(
    programConfig({
      config,
      detector: localDetector(config, undefined),
      features: kernelFeatures(),
      snatPorts,
      hostNetns: networkNamespaceCookie(),
    }),
  )
}

function examineMounts({ config, cgroup = cgroupRoot() }: ExamineOptions): Finding[] {
  return checkMounts({
    socketLb: config.socketLb,
    bpffs: isBpffs(BPFFS),
    cgroup,
    isCgroup2: cgroup !== undefined && textOf(join(cgroup, 'cgroup.controllers')) !== undefined,
    // The file is in every cgroup but the root of all, also where a cgroup namespace shows another one as root.
    isRoot: cgroup === undefined ? undefined : !exists(join(cgroup, 'cgroup.type')),
  })
}

function examineDevices(devices: readonly NodeDevice[], { config, instance }: ExamineOptions): Finding[] {
  const pins = new Set(pinnedNames(pinDirectories(instance).links))
  const drivers = new Map(
    devices.flatMap(({ ifindex, name }): [number, string][] => {
      const driver = driverOf(name)
      return driver === undefined ? [] : [[ifindex, driver]]
    }),
  )
  const ownXdp = new Set(devices.map(({ ifindex }) => ifindex).filter((ifindex) => pins.has(`xdp_net_${ifindex}`)))
  return checkDevices({ devices, xdp: config.xdp, xdpFeatures: readXdpFeatures(), drivers, ownXdp })
}

async function examinePorts({ nodePortRange, snatPortRange }: Config): Promise<Finding[]> {
  return checkPorts({
    ephemeral: await ephemeralPorts(),
    reserved: sysctl('net/ipv4/ip_local_reserved_ports') ?? '',
    nodePorts: nodePortRange,
    snat: snatPortRange,
  })
}

function listenersOf({ healthzBindAddress, metricsBindAddress }: Config): Listener[] {
  const listeners: Listener[] = []
  if (healthzBindAddress)
    listeners.push({ name: 'health checks', address: parseBindAddress(healthzBindAddress, 10_256) })
  if (metricsBindAddress) listeners.push({ name: 'metrics', address: parseBindAddress(metricsBindAddress, 10_249) })
  return listeners
}

/** Name of the kernel module that drives a device; undefined for one without. */
function driverOf(device: string): string | undefined {
  try {
    return basename(readlinkSync(`/sys/class/net/${device}/device/driver`))
  } catch {
    return undefined
  }
}

/** MemAvailable: what can be had without swapping. */
function availableMemory(): number {
  const kibibytes = /^MemAvailable:\s*(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]
  return Number(kibibytes ?? 0) * 1024
}

function sysctl(name: string): string | undefined {
  return textOf(`/proc/sys/${name}`)?.trim()
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}
