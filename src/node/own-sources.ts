// SPDX-License-Identifier: Apache-2.0
/** Lets replies reach the node's own processes where packets, not sockets, are translated. */

import { readFileSync, writeFileSync } from 'node:fs'

const folder = '/proc/sys/net/ipv4/conf'

/** A sysctl of a device and the value that it must have. */
export interface DeviceSetting {
  readonly device: string
  readonly name: 'accept_local' | 'route_localnet'
}

/**
 * What a process of the node needs to be answered by a NodePort of its own node when no socket hook translates: the
 * reply comes in with an address of the node as its source, which IPv4 takes for a martian otherwise (ip-sysctl:
 * accept_local); on lo also with 127.0.0.1 (route_localnet). Pure.
 *
 * @param primary Name of the device that holds the node's address; undefined: there is none.
 */
export function ownSourceSettings(primary: string | undefined, localhostNodePorts: boolean): readonly DeviceSetting[] {
  const settings: DeviceSetting[] = []
  if (primary !== undefined) settings.push({ device: primary, name: 'accept_local' })
  if (localhostNodePorts)
    settings.push({ device: 'lo', name: 'accept_local' }, { device: 'lo', name: 'route_localnet' })
  return settings
}

/** Sets what is not set. @returns what was changed. @throws the system's error, as in a container that may not */
export function applySettings(settings: readonly DeviceSetting[]): readonly DeviceSetting[] {
  return settings.filter(({ device, name }) => {
    const path = `${folder}/${device}/${name}`
    if (readFileSync(path, 'latin1').trim() === '1') return false
    writeFileSync(path, '1')
    return true
  })
}
