// SPDX-License-Identifier: Apache-2.0
/** Every combination of knobs that matters passes the verifier, well within its limit. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCidr } from '../../src/abi/cidr.ts'
import { type Config, Limits, SocketLb } from '../../src/abi/generated.ts'
import { loadObject } from '../../src/bpf/object.ts'
import { describeProgram } from '../../src/bpf/program.ts'
import { networkNamespaceCookie } from '../../src/ffi/libc.ts'
import { skip } from './requires-bpf.ts'
import { maglaneObject, noConfig } from './support/test-node.ts'

/** Half of the kernel's limit: room for a verifier that walks more states than this one. */
const MAX_VERIFIED = 500_000

/** As small as maps can be: only programs are of interest. */
const maxEntries = {
  ...{ arena: 16, backends: 16, members: 16, services: 16, service_stats: 16, source_ranges: 16, frontends: 16 },
  ...{ flows: 64, frags: 64, affinities: 64, sockets: 64, devices: 16 },
}

const { address, mask } = parseCidr('10.0.0.0/8')
const cidrs = Array.from({ length: Limits.CIDR_MAX }, () => ({ addr: address, mask }))

const off = { ...noConfig, synthetic: 0 }
const everything: Partial<Config> = {
  ...{ socketLb: SocketLb.SOCKET_LB_HOST, masqueradeAll: 1, trace: 1, detectByDevice: 1, haveConntrack: 1 },
  ...{ inClusterLen: Limits.CIDR_MAX, inCluster: cidrs },
}

const combinations: Readonly<Record<string, Partial<Config>>> = {
  'the least': {},
  'the most': everything,
  'as a node runs it': {
    socketLb: SocketLb.SOCKET_LB_ALL,
    inClusterLen: 2,
    inCluster: cidrs.slice(0, 2),
    haveConntrack: 1,
  },
  'socket hooks for the node alone': { socketLb: SocketLb.SOCKET_LB_HOST },
  'socket hooks for everyone': { socketLb: SocketLb.SOCKET_LB_ALL },
  masqueradeAll: { masqueradeAll: 1 },
  'a kernel that names no source (before 6.7)': { haveFibSrc: 0 },
  'a kernel without bpf_set_retval (before 5.18)': { haveSetRetval: 0, socketLb: SocketLb.SOCKET_LB_ALL },
  'conntrack asked': { haveConntrack: 1 },
  'an old kernel': { haveFibSrc: 0, haveSetRetval: 0, socketLb: SocketLb.SOCKET_LB_ALL },
  'an old kernel, everything on': {
    ...everything,
    haveConntrack: 0,
    haveFibSrc: 0,
    haveSetRetval: 0,
  },
  trace: { synthetic: 1, trace: 1 },
  'trace, everything on': { ...everything, synthetic: 1 },
  'pods by their device': { detectByDevice: 1 },
  'pods by one range': { inClusterLen: 1, inCluster: cidrs.slice(0, 1) },
  'pods by eight ranges': { inClusterLen: Limits.CIDR_MAX, inCluster: cidrs },
}

for (const [name, knobs] of Object.entries(combinations)) {
  test(`the verifier accepts ${name}`, { skip }, (t) => {
    using object = loadObject({
      object: maglaneObject,
      maxEntries,
      config: { ...off, hostNetns: networkNamespaceCookie(), ...knobs },
    })
    assert.ok(object.programs.size >= 5)
    const counts = [...object.programs].map(
      ([program, { fd }]) => [program, describeProgram(fd).verifiedInstructions] as const,
    )
    t.diagnostic(counts.map(([program, count]) => `${program} ${count}`).join(', '))
    for (const [program, count] of counts) {
      assert.ok(count < MAX_VERIFIED, `${program}: ${count} instructions verified, ${MAX_VERIFIED} at most`)
    }
  })
}
