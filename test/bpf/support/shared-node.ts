// SPDX-License-Identifier: Apache-2.0
/** One node for the tests of a file: loading takes half a second. */

import { after, beforeEach } from 'node:test'
import { skip } from '../requires-bpf.ts'
import { type NodeOptions, TestNode } from './test-node.ts'

/** @returns the node, loaded at the first call; every test finds it without flows, affinities and counts. */
export function sharedNode(options: NodeOptions = {}): () => TestNode {
  let node: TestNode | undefined
  beforeEach(() => node?.reset())
  after(() => node?.close())
  return () => {
    if (skip) throw new Error(skip)
    node ??= new TestNode(options)
    return node
  }
}
