// SPDX-License-Identifier: Apache-2.0
/** A pinned instance without an agent, for tests of the command line: the real maps, one loaded program. */

import { basename, join } from 'node:path'
import type { TestContext } from 'node:test'
import { unspecifiedAddress } from '../../src/abi/address.ts'
import { abiFingerprint, SocketLb } from '../../src/abi/generated.ts'
import { type Maps, mapsOf } from '../../src/bpf/maps.ts'
import { loadObject } from '../../src/bpf/object.ts'
import { runProgram } from '../../src/bpf/prog-run.ts'
import type { Io } from '../../src/cli/command.ts'
import { main } from '../../src/cli/main.ts'
import { Dataplane } from '../../src/dataplane/dataplane.ts'
import { liveTables } from '../../src/dataplane/live-tables.ts'
import type { ServicePlan } from '../../src/model/types.ts'
import { pinDirectory } from './requires-bpf.ts'

const object = join(import.meta.dirname, '../../bpf/dist/maglane.bpf.o')

export interface TestInstance {
  readonly name: string
  readonly directory: string
  readonly maps: Maps
  /** Runs tc_pod_in, which a pod's packets meet, on a packet. */
  readonly send: (packet: Uint8Array) => void
}

/** Small maps that hold `plans`, and tc_pod_in where the test sends packets; unpinned after the test. */
export async function pinnedInstance(
  context: TestContext,
  plans: ReadonlyMap<string, ServicePlan>,
  programs: readonly 'tc_pod_in'[] = [],
): Promise<TestInstance> {
  const directory = pinDirectory(context)
  const loaded = loadObject({
    object,
    pinDirectory: join(directory, 'maps'),
    programs,
    maxEntries: { arena: 65536, backends: 1024, flows: 1024, frontends: 1024, services: 256, service_stats: 256 },
    config: {
      ...{ seed: 7, snatPortMin: 1024, snatPortMax: 29_999, hostNetns: 0n, socketLb: SocketLb.SOCKET_LB_OFF },
      ...{ masqueradeAll: 0, haveFibSrc: 1, haveSetRetval: 1, synthetic: 1, trace: 0 },
      ...{ detectByDevice: 0, inClusterLen: 0, inCluster: [] },
      ...{ syntheticSrc4: unspecifiedAddress, syntheticSrc6: unspecifiedAddress },
    },
  })
  const open = mapsOf(loaded.maps)
  context.after(() => {
    open.close()
    loaded.close()
  })
  const { maps } = open
  maps.control.set(0, { ...maps.control.get(0), abi: abiFingerprint })
  await new Dataplane({ tables: liveTables(maps), seed: 7 }).sync(plans)
  const send = (packet: Uint8Array) => {
    const program = loaded.programs.get('tc_pod_in')
    if (program === undefined) throw new Error('The test asked for no program')
    runProgram(program.fd, { packet })
  }
  return { name: basename(directory), directory, maps, send }
}

/** Runs `maglane` in this process. */
export async function maglane(
  words: readonly string[],
  { signal = new AbortController().signal, onStdout = () => {} }: { signal?: AbortSignal; onStdout?: () => void } = {},
): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
  let stdout = ''
  let stderr = ''
  const io: Io = {
    stdin: (async function* () {})(),
    stdout: (text) => {
      stdout += text
      onStdout()
    },
    stderr: (text) => {
      stderr += text
    },
    env: {},
    signal,
    terminal: false,
  }
  const status = await main(words, io)
  return { status, stdout, stderr }
}
