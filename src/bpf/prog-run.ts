// SPDX-License-Identifier: Apache-2.0
/** Runs a loaded program on a packet of one's own making (BPF_PROG_TEST_RUN). */

import koffi from 'koffi'
import { check } from '../ffi/check.ts'
import { libbpf } from '../ffi/libbpf.ts'
import { TestRunOpts } from '../ffi/libbpf-types.ts'
import { type MappedMemory, mapAnonymous, pageSize } from '../ffi/libc.ts'

/** Room for a packet: the kernel takes one page less its own needs, and gives back what the program made of it. */
const PACKET_BYTES = 65536
/** Room for struct __sk_buff or struct xdp_md. */
const CONTEXT_BYTES = 512

/** A run. */
export interface RunOptions {
  /** From the Ethernet header on; at least 14 bytes. */
  readonly packet: Uint8Array
  /** struct __sk_buff or struct xdp_md as bytes: see run-context.ts. */
  readonly context?: Uint8Array
  /** Times that the program runs, each on what the one before left of the packet. Default 1. */
  readonly repeat?: number
}

/** What became of it. Packet and context are views that the runner's next run overwrites. */
export interface RunResult {
  /** XDP_*, TC_ACT_*. */
  readonly verdict: number
  readonly packet: Uint8Array
  /** Empty when no context was given. */
  readonly context: Uint8Array
  /** Nanoseconds a repetition, rounded down. */
  readonly durationNs: number
}

/** Keeps its buffers from run to run: a run costs the system call and two copies. */
export class ProgramRunner implements Disposable {
  readonly #memory: MappedMemory
  readonly #opts: DataView
  readonly #optsPointer: bigint
  readonly #packetIn: Uint8Array
  readonly #packetOut: Uint8Array
  readonly #contextIn: Uint8Array
  readonly #contextOut: Uint8Array

  constructor() {
    const page = pageSize()
    this.#memory = mapAnonymous(Math.ceil((CONTEXT_BYTES * 3 + PACKET_BYTES * 2) / page) * page)
    const { bytes, pointer } = this.#memory
    let end = 0
    const place = (length: number) => {
      end += length
      return new Uint8Array(bytes, end - length, length)
    }
    const opts = place(CONTEXT_BYTES)
    this.#contextIn = place(CONTEXT_BYTES)
    this.#contextOut = place(CONTEXT_BYTES)
    this.#packetIn = place(PACKET_BYTES)
    this.#packetOut = place(PACKET_BYTES)
    this.#opts = new DataView(bytes, opts.byteOffset, opts.length)
    this.#optsPointer = pointer + BigInt(opts.byteOffset)
    this.#opts.setBigUint64(at.sz, BigInt(koffi.sizeof(TestRunOpts)), true)
    this.#opts.setBigUint64(at.data_in, pointer + BigInt(this.#packetIn.byteOffset), true)
    this.#opts.setBigUint64(at.data_out, pointer + BigInt(this.#packetOut.byteOffset), true)
  }

  /** @throws {NativeError} when the kernel cannot run it: EINVAL for a packet or context that it does not take. */
  run(programFd: number, { packet, context, repeat = 1 }: RunOptions): RunResult {
    const opts = this.#opts
    if (packet.length > PACKET_BYTES)
      throw new RangeError(`A packet has up to ${PACKET_BYTES} bytes, not ${packet.length}`)
    this.#packetIn.set(packet)
    if (context) this.#contextIn.set(context)
    // A null pointer and a size of zero go together, or the kernel refuses.
    const contextAt = (bytes: Uint8Array) => (context ? this.#memory.pointer + BigInt(bytes.byteOffset) : 0n)
    opts.setUint32(at.data_size_in, packet.length, true)
    opts.setUint32(at.data_size_out, PACKET_BYTES, true)
    opts.setBigUint64(at.ctx_in, contextAt(this.#contextIn), true)
    opts.setBigUint64(at.ctx_out, contextAt(this.#contextOut), true)
    opts.setUint32(at.ctx_size_in, context?.length ?? 0, true)
    opts.setUint32(at.ctx_size_out, context?.length ?? 0, true)
    opts.setInt32(at.repeat, repeat, true)
    check('bpf_prog_test_run_opts', libbpf().programTestRun(programFd, this.#optsPointer), `program fd ${programFd}`)
    return {
      verdict: opts.getUint32(at.retval, true),
      packet: this.#packetOut.subarray(0, opts.getUint32(at.data_size_out, true)),
      context: this.#contextOut.subarray(0, context ? opts.getUint32(at.ctx_size_out, true) : 0),
      durationNs: opts.getUint32(at.duration, true),
    }
  }

  /** Releases the buffers; results of earlier runs must not be read any more. */
  close(): void {
    this.#memory.unmap()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Offsets of the members that are used. */
const at = Object.fromEntries(
  Object.entries(TestRunOpts.members ?? {}).map(([name, { offset }]) => [name, offset]),
) as Record<
  | 'sz'
  | 'data_in'
  | 'data_out'
  | 'data_size_in'
  | 'data_size_out'
  | 'ctx_in'
  | 'ctx_out'
  | 'ctx_size_in'
  | 'ctx_size_out'
  | 'retval'
  | 'repeat'
  | 'duration',
  number
>

/** One run with buffers of its own; the result is the caller's to keep. */
export function runProgram(programFd: number, options: RunOptions): RunResult {
  using runner = new ProgramRunner()
  const result = runner.run(programFd, options)
  return { ...result, packet: result.packet.slice(), context: result.context.slice() }
}
