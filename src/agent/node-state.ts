// SPDX-License-Identifier: Apache-2.0
/** Keeps devices, attachments and hops as the node's network is. */

import { setTimeout as delay } from 'node:timers/promises'
import type { Maps } from '../bpf/maps.ts'
import type { Config } from '../config/config.ts'
import type { LocalDetector } from '../config/local-detector.ts'
import { networkChanges } from '../ffi/netlink.ts'
import type { Attacher } from '../node/attach.ts'
import { classifyDevices, type NodeDevice, nodeAddressesOf } from '../node/classify-devices.ts'
import { deviceEntries } from '../node/device-entries.ts'
import { type DeviceSnapshot, readDevices } from '../node/device-snapshot.ts'
import type { ControlMap } from './control.ts'
import type { Log } from './log.ts'

/** Changes come in bursts: a device, its addresses, its routes. */
const COALESCE_MS = 50

/** What the node's devices are at a moment. */
export interface NodeView {
  readonly snapshot: DeviceSnapshot
  readonly devices: readonly NodeDevice[]
  /** Canonical, global scope, of pods' interfaces none. */
  readonly addresses: readonly string[]
}

export async function viewNode(config: Config): Promise<NodeView> {
  const snapshot = await readDevices()
  const devices = classifyDevices(snapshot, { devices: config.devices, podInterfaces: config.podInterfaces })
  return { snapshot, devices, addresses: nodeAddressesOf(devices) }
}

/** Writes what differs; entries of devices that are gone go. */
export function writeDevices(map: Maps['devices'], view: NodeView, detector: LocalDetector, attacher: Attacher): void {
  const entries = deviceEntries({
    devices: view.devices,
    detector,
    bridgeNetfilter: view.snapshot.bridgeNetfilter,
    xdpModes: attacher.xdpModes,
  })
  const gone = [...map.entries()].map(([ifindex]) => ifindex).filter((ifindex) => !entries.has(ifindex))
  map.setMany(entries)
  map.deleteMany(gone)
}

/** Attaches to the devices of a view and tells the programs about them. */
export function applyView(maps: Maps, view: NodeView, detector: LocalDetector, attacher: Attacher, log: Log): void {
  const before = new Map(attacher.attachments.map((attachment) => [attachment.ifindex, attachment]))
  // A program that starts on a device must find it in the map, and may send to it once XDP runs there.
  writeDevices(maps.devices, view, detector, attacher)
  attacher.syncDevices(view.devices)
  writeDevices(maps.devices, view, detector, attacher)
  for (const attachment of attacher.attachments) {
    if (before.get(attachment.ifindex) === attachment) continue
    const { device, xdp, tc, xdpRefusal } = attachment
    log('info', 'attached', { device, class: attachment.class, xdp, tc, xdp_refusal: xdpRefusal })
  }
}

/**
 * Follows the network until `signal` aborts: hops are looked up again after each change, `onView` gets a new view where
 * devices or addresses changed.
 */
export async function followNetwork(
  config: Config,
  control: ControlMap,
  log: Log,
  signal: AbortSignal,
  onView: (view: NodeView) => Promise<void>,
): Promise<void> {
  // The socket listens first, so that nothing is missed between the view and the first message.
  const messages = networkChanges(signal)
  await look(config, log, onView)
  for await (const changes of messages) {
    control.raiseHopEpoch()
    if (!changes.has('link') && !changes.has('address') && !changes.has('route') && !changes.has('overrun')) continue
    await delay(COALESCE_MS)
    if (signal.aborted) return
    await look(config, log, onView)
    control.raiseHopEpoch()
  }
}

/** A view that cannot be had, as when a device vanishes half way, is had at the next change. */
async function look(config: Config, log: Log, onView: (view: NodeView) => Promise<void>): Promise<void> {
  let view: NodeView
  try {
    view = await viewNode(config)
  } catch (error) {
    log('warn', 'cannot read the devices', { reason: String(error) })
    return
  }
  await onView(view)
}
