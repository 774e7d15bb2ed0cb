// SPDX-License-Identifier: Apache-2.0
/** A copy of the programs that is run on synthetic packets (BPF_PROG_TEST_RUN): it tells what it decided. */

import { unspecifiedAddress } from '../abi/address.ts'
import { DeviceFlags, type Event, Reason } from '../abi/generated.ts'
import type { Maps } from '../bpf/maps.ts'
import type { BpfObject } from '../bpf/object.ts'
import { ProgramRunner } from '../bpf/prog-run.ts'
import { firstPacket } from './first-packet.ts'
import type { TraceProgram } from './trace-knobs.ts'
import type { ClientPlace, TracePacket } from './trace-packet.ts'

/** Where a client's packet meets the programs; the next one when one leaves it to a later hook. */
export const hooksOf: Readonly<Record<ClientPlace, readonly TraceProgram[]>> = {
  pod: ['tc_pod_in'],
  host: ['tc_net_out'],
  external: ['xdp_net', 'tc_net_in'],
}

/** What a run without a device of its own is on: the loopback device of the calling process's namespace. */
const RUN_IFINDEX = 1

/** Maps that say what Services there are. */
type ServiceMaps = Pick<Maps, 'frontends' | 'backends' | 'arena' | 'services'>
/** Maps that packets write to: never shared with a running agent. */
type ScratchMaps = Pick<Maps, 'flows' | 'frags' | 'affinities' | 'devices' | 'events'>

export interface ProgramCopy extends Disposable {
  readonly maps: ServiceMaps
  /** What the first packet of a connection meets; no packet before it is remembered. */
  decide(packet: TracePacket, from: ClientPlace): Event
  close(): void
}

/** The programs ran and reported nothing. */
export class TraceError extends Error {
  override readonly name = 'TraceError'
  readonly code = 'E_TRACE'
}

export function copyOf(options: {
  readonly object: BpfObject
  readonly services: ServiceMaps
  readonly scratch: ScratchMaps
  /** Called before each packet. */
  readonly prepare?: () => void
  readonly close: () => void
}): ProgramCopy {
  const { object, services, scratch } = options
  const runner = new ProgramRunner()
  const close = () => {
    runner.close()
    options.close()
  }
  const decide = (packet: TracePacket, from: ClientPlace): Event => {
    options.prepare?.()
    // Only detectLocalMode by device asks for it: a pod's packets come in by a device that counts, others' do not.
    scratch.devices.set(RUN_IFINDEX, {
      ...{ master: 0, addr4: unspecifiedAddress, addr6: unspecifiedAddress, mac: [] },
      flags: from === 'pod' ? DeviceFlags.DEV_F_IN_CLUSTER : 0,
    })
    const bytes = firstPacket(packet)
    try {
      for (const hook of hooksOf[from]) {
        const event = run(hook, bytes)
        if (event.reason !== Reason.PASS_LATER_HOOK) return event
      }
      throw new TraceError('Every hook left the packet to a later one')
    } finally {
      forget(scratch)
    }
  }
  const run = (hook: TraceProgram, packet: Uint8Array): Event => {
    const program = object.programs.get(hook)
    if (program === undefined) throw new TraceError(`The program ${hook} is not loaded`)
    runner.run(program.fd, { packet })
    const event = scratch.events.drain().at(-1)
    if (event === undefined) throw new TraceError(`The program ${hook} reported nothing`)
    return event
  }
  return { maps: services, decide, close, [Symbol.dispose]: close }
}

function forget({ flows, affinities, frags }: ScratchMaps): void {
  for (const map of [flows, affinities, frags]) map.clearFew()
}
