// SPDX-License-Identifier: Apache-2.0
/** The network devices of this network namespace, as iproute2 tells them. */

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Room for the JSON of some thousand devices. */
const MAX_OUTPUT_BYTES = 64 << 20

/** What `ip -json -details link show` says of a device, as far as it is read. */
export interface LinkJson {
  readonly ifindex: number
  readonly ifname: string
  readonly flags: readonly string[]
  readonly link_type: string
  /** MAC address. */
  readonly address?: string
  /** Name of the bridge or bond that it is a port of. */
  readonly master?: string
  /** The peer or the lower device is in another network namespace. */
  readonly link_netnsid?: number
  readonly linkinfo?: { readonly info_kind?: string; readonly info_slave_kind?: string }
  readonly xdp?: { readonly mode?: number }
}

/** What `ip -json address show` says of a device, as far as it is read. */
export interface AddressJson {
  readonly ifindex: number
  readonly addr_info: readonly {
    readonly family: string
    readonly local?: string
    readonly prefixlen?: number
    readonly scope?: string
  }[]
}

export interface DeviceSnapshot {
  readonly links: readonly LinkJson[]
  readonly addresses: readonly AddressJson[]
  /** Names of the devices that default routes lead to. */
  readonly defaultRoutes: ReadonlySet<string>
  /** net.bridge.bridge-nf-call-iptables of this namespace; false when the module is not there. */
  readonly bridgeNetfilter: boolean
}

async function ip<T>(...args: readonly string[]): Promise<T[]> {
  const { stdout } = await run('ip', ['-json', ...args], { maxBuffer: MAX_OUTPUT_BYTES })
  const rows: unknown = stdout.trim() === '' ? [] : JSON.parse(stdout)
  return (Array.isArray(rows) ? rows : []) as T[]
}

async function bridgeNetfilter(): Promise<boolean> {
  const text = await readFile('/proc/sys/net/bridge/bridge-nf-call-iptables', 'utf8').catch(() => '0')
  return text.trim() !== '0'
}

interface RouteJson {
  readonly dev?: string
  readonly nexthops?: readonly { readonly dev?: string }[]
}

/** Asks the kernel, by `ip`. */
export async function readDevices(): Promise<DeviceSnapshot> {
  const [links, addresses, routes4, routes6, netfilter] = await Promise.all([
    ip<LinkJson>('-details', 'link', 'show'),
    ip<AddressJson>('address', 'show'),
    ip<RouteJson>('-4', 'route', 'show', 'default'),
    ip<RouteJson>('-6', 'route', 'show', 'default'),
    bridgeNetfilter(),
  ])
  const devices = [...routes4, ...routes6].flatMap(({ dev, nexthops = [] }) => [dev, ...nexthops.map((hop) => hop.dev)])
  return {
    links: links.filter((link) => link.ifname !== undefined),
    addresses: addresses.filter((entry) => entry.addr_info !== undefined),
    defaultRoutes: new Set(devices.filter((dev) => dev !== undefined)),
    bridgeNetfilter: netfilter,
  }
}
