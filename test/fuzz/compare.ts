// SPDX-License-Identifier: Apache-2.0
/** Holds what a program did with a packet against the reference's judgement. */

import assert from 'node:assert/strict'
import { type Config, Direction, Hook } from '../../src/abi/generated.ts'
import { type Judgement, ReferenceNode } from '../../src/reference/reference-node.ts'
import { readWorld, textOf } from '../../src/reference/world.ts'
import { noConfig, type Outcome, type TestNode } from '../bpf/support/test-node.ts'
import type { Arrival } from './traffic.ts'

const LOOPBACK_IFINDEX = 1

/** A reference for a node that was made with these knobs, knowing what stands in the node's maps now. */
export function referenceFor(node: TestNode, config: Partial<Config>): ReferenceNode {
  const knobs = { inCluster: [], ...noConfig, ...config }
  return new ReferenceNode(
    {
      ...{ seed: knobs.seed, snatPortMin: knobs.snatPortMin, snatPortMax: knobs.snatPortMax },
      ...{ masqueradeAll: knobs.masqueradeAll === 1, asksConntrack: knobs.haveConntrack === 1 },
      ...{ detectByDevice: knobs.detectByDevice === 1, inCluster: knobs.inCluster.slice(0, knobs.inClusterLen) },
      ...{ nodeAddress4: textOf(knobs.syntheticSrc4), nodeAddress6: textOf(knobs.syntheticSrc6) },
    },
    readWorld(node.maps),
  )
}

/** Runs a packet through both. @throws AssertionError where they differ */
export function runBoth(
  node: TestNode,
  reference: ReferenceNode,
  { program, frame, ownPacket }: Arrival,
): { readonly outcome: Outcome; readonly judgement: Judgement } {
  const outcome = node.run(program, frame, {
    ingressIfindex: ownPacket && program === 'tc_net_out' ? 0 : LOOPBACK_IFINDEX,
  })
  const chosenPort = outcome.event.newSport || portOfEntry(node, outcome)
  const passage = { hook: program, ifindex: LOOPBACK_IFINDEX, ownPacket }
  const judgement = reference.judge(frame, passage, chosenPort)
  const { reason, action, event } = outcome
  const { service = event.service, backend = event.backend } = judgement
  assert.deepEqual(
    { reason, action, service: event.service, backend: event.backend },
    { reason: judgement.reason, action: judgement.action, service, backend },
  )
  if (judgement.packet) assertSame(outcome.packet, judgement.packet, judgement)
  return { outcome, judgement }
}

/** Of a packet that was dropped after its flow was made: the drop does not tell the port, the flow's entry does. */
function portOfEntry(node: TestNode, { action, event }: Outcome): number | undefined {
  if (action !== 'drop') return undefined
  const { src, dst, sport, dport, proto, hook } = event
  const egress = hook === Hook.HOOK_TC_NET_OUT || hook === Hook.HOOK_TC_POD_OUT
  const dir = egress ? Direction.DIR_EGRESS : Direction.DIR_INGRESS
  return node.maps.flows.get({ src, dst, sport, dport, proto, dir })?.sport
}

/** Byte for byte; zero in one's complement may be written in two ways. */
function assertSame(actual: Uint8Array, expected: Uint8Array, { checksums, unjudged }: Judgement): void {
  if (Buffer.compare(actual, expected) === 0) return
  const plain = (bytes: Uint8Array) => {
    const copy = Buffer.from(bytes)
    for (const at of checksums) if (copy.readUInt16BE(at) === 0xffff) copy.writeUInt16BE(0, at)
    if (unjudged !== undefined) copy.fill(0, unjudged, unjudged + 4)
    return copy.toString('hex')
  }
  assert.equal(plain(actual), plain(expected))
}
