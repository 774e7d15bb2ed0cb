// SPDX-License-Identifier: Apache-2.0
/** Runs a program on packets that are each as they came from the wire: see bpf/test/bench.h. */

import { join } from 'node:path'
import type { Codec } from '../../../src/abi/runtime.ts'
import { MmapArray } from '../../../src/bpf/mmap-array.ts'
import { type BpfObject, loadObject } from '../../../src/bpf/object.ts'
import { ProgramRunner } from '../../../src/bpf/prog-run.ts'
import { skbContext, xdpContext } from '../../../src/bpf/run-context.ts'
import { check } from '../../../src/ffi/check.ts'
import { libbpf } from '../../../src/ffi/libbpf.ts'
import { inNetworkNamespace } from '../../../src/ffi/libc.ts'
import type { Family } from './addresses.ts'
import type { BenchNetwork } from './bench-network.ts'
import { blankPacket, FRAME_BYTES, type Tuple, writeFrame } from './frame.ts'

export type Hook = 'xdp' | 'tc'

/** Packets that stand side by side in the driver's array. */
export interface FrameSet {
  readonly first: number
  readonly count: number
}

/** A run of a program. */
export interface DriveOptions {
  readonly programFd: number
  readonly frames: FrameSet
  /** Default: the frames' count. */
  readonly packets?: number
  /** Of the packet; default: the node's device. */
  readonly ifindex?: number
  /** tc: where a forwarded packet came in. */
  readonly ingressIfindex?: number
}

export interface DriverOptions {
  readonly hook: Hook
  readonly family: Family
  readonly network: BenchNetwork
  /** Room for frames. */
  readonly frames: number
  /** Entries of the reference's table; default: as in C. */
  readonly flows?: number
}

function bytesCodec(name: string, size: number): Codec<Uint8Array> {
  return {
    name,
    size,
    encode: (value, view, offset) => new Uint8Array(view.buffer, view.byteOffset + offset, size).set(value),
    decode: (view, offset) => new Uint8Array(view.buffer, view.byteOffset + offset, size).slice(),
  }
}

export class Driver implements Disposable {
  readonly hook: Hook
  readonly #object: BpfObject
  readonly #frames: MmapArray<Uint8Array>
  readonly #state: MmapArray<Uint8Array>
  readonly #runner = new ProgramRunner()
  readonly #network: BenchNetwork
  readonly #packet: Uint8Array
  readonly #subject = { map: -1, key: new Uint8Array(4), value: new Uint32Array(1) }
  #used = 0

  constructor({ hook, family, network, frames, flows }: DriverOptions) {
    this.hook = hook
    this.#network = network
    this.#packet = blankPacket(family)
    this.#object = loadObject({
      object: join(import.meta.dirname, `../../../bpf/dist/test/bench_${hook}.o`),
      maxEntries: { bench_frames: frames, ...(flows === undefined ? {} : { bench_flows: flows }) },
    })
    const { maps } = this.#object
    this.#frames = new MmapArray(maps.get('bench_frames')!, bytesCodec('bench_frame', FRAME_BYTES))
    this.#state = new MmapArray(maps.get('bench_state')!, bytesCodec('bench_state', 16))
    this.#subject.map = maps.get('bench_subject')!.fd
  }

  /** A reference program, or `null`. */
  reference(name: string): number {
    return this.#object.programs.get(name)!.fd
  }

  /** The reference's table of flows. */
  get flows() {
    return this.#object.maps.get('bench_flows')!
  }

  addFrames(tuples: readonly Tuple[], flags: number): FrameSet {
    const first = this.#used
    for (const tuple of tuples) writeFrame(this.#frames.view, FRAME_BYTES * this.#used++, tuple, flags)
    return { first, count: tuples.length }
  }

  /** @returns nanoseconds a packet, the driver's own included. */
  drive({ programFd, frames, packets = frames.count, ifindex, ingressIfindex }: DriveOptions): number {
    this.#state.words.set([frames.first, frames.count, 0])
    this.#choose(programFd)
    const device = ifindex ?? this.#network.nic
    const context =
      this.hook === 'xdp'
        ? xdpContext({ packetLength: this.#packet.length, ingressIfindex: device })
        : skbContext({ ifindex: device, ...(ingressIfindex === undefined ? {} : { ingressIfindex }) })
    return inNetworkNamespace(
      this.#network.path,
      () => this.#runner.run(this.reference('driver'), { packet: this.#packet, context, repeat: packets }).durationNs,
    )
  }

  #choose(programFd: number): void {
    const { map, key, value } = this.#subject
    value[0] = programFd
    const status = libbpf().update(map, key, new Uint8Array(value.buffer), 0)
    check('bpf_map_update_elem', status, 'the program under test')
  }

  [Symbol.dispose](): void {
    this.#frames.unmap()
    this.#state.unmap()
    this.#runner.close()
    this.#object.close()
  }
}
