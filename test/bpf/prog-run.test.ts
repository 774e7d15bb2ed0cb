// SPDX-License-Identifier: Apache-2.0
/** ProgramRunner in the real kernel. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { loadObject } from '../../src/bpf/object.ts'
import { ProgramRunner, runProgram } from '../../src/bpf/prog-run.ts'
import { readSkbContext, skbContext, xdpContext } from '../../src/bpf/run-context.ts'
import { interfaceIndex } from '../../src/ffi/libc.ts'
import { loaderObject, skip } from './requires-bpf.ts'

function program(t: TestContext, name: string): number {
  const object = loadObject({ object: loaderObject, programs: [name], maxEntries: { arena: 16 } })
  t.after(() => object.close())
  return object.programs.get(name)!.fd
}

test('runProgram() gives back the verdict and the packet that the program made', { skip }, (t) => {
  const packet = Uint8Array.from({ length: 100 }, (_, index) => index)
  const result = runProgram(program(t, 'loader_xdp'), { packet })
  assert.equal(result.verdict, 2)
  assert.deepEqual(
    result.packet,
    Uint8Array.from(packet, (byte, index) => (index === 0 ? 0xff : byte)),
  )
  assert.equal(result.context.length, 0)
})

test('runProgram() repeats on the same packet and tells the time a run took', { skip }, (t) => {
  const result = runProgram(program(t, 'loader_xdp'), { packet: new Uint8Array(64), repeat: 100_001 })
  assert.equal(result.packet[0], 0xff, 'turned over an odd number of times')
  assert.ok(result.durationNs > 0 && result.durationNs < 100_000)
})

test('runProgram() hands struct __sk_buff in and out', { skip }, (t) => {
  const fd = program(t, 'loader_tc')
  const run = (mark: number) =>
    runProgram(fd, {
      packet: new Uint8Array(64),
      context: skbContext({ mark, priority: 3, ifindex: interfaceIndex('lo')!, cb: [9] }),
    })
  const passed = run(1)
  assert.equal(passed.verdict, 0)
  assert.deepEqual(readSkbContext(passed.context), { mark: 2, priority: 3, cb: [9, 0, 0, 0, 0] })
  assert.equal(run(7).verdict, 2)
})

test('runProgram() hands struct xdp_md in', { skip }, (t) => {
  const fd = program(t, 'loader_xdp')
  const packet = new Uint8Array(64)
  const context = xdpContext({ packetLength: 64, ingressIfindex: interfaceIndex('lo')! })
  assert.equal(runProgram(fd, { packet, context }).verdict, 2)
  assert.throws(() => runProgram(fd, { packet, context: xdpContext({ packetLength: 65 }) }), { code: 'EINVAL' })
})

test('ProgramRunner runs again and again on its own buffers', { skip }, (t) => {
  const fd = program(t, 'loader_tc')
  using runner = new ProgramRunner()
  for (let mark = 0; mark < 50; mark++) {
    const context = mark % 2 === 0 ? { context: skbContext({ mark }) } : {}
    const result = runner.run(fd, { packet: new Uint8Array(64 + mark), ...context })
    assert.equal(result.packet.length, 64 + mark)
    if (mark % 2 === 0) assert.equal(readSkbContext(result.context).mark, mark + 1)
  }
  assert.throws(() => runner.run(fd, { packet: new Uint8Array(13) }), {
    code: 'EINVAL',
    operation: 'bpf_prog_test_run_opts',
  })
})
