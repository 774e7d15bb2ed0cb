// SPDX-License-Identifier: Apache-2.0
/** Filters without a pin: whose they are is told by the names of their programs. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { attachClassic, classicProgramId } from '../../src/bpf/classic-filter.ts'
import { loadObject } from '../../src/bpf/object.ts'
import { detachFilters } from '../../src/cli/cleanup/detach-filters.ts'
import { inNetworkNamespace, interfaceIndex } from '../../src/ffi/libc.ts'
import { loaderObject, networkNamespace, skip } from './requires-bpf.ts'

const product = join(import.meta.dirname, '../../bpf/dist/maglane.bpf.o')

function programFd(context: TestContext, object: string, name: string): number {
  const loaded = loadObject({ object, programs: [name], maxEntries: { arena: 16, backends: 16, flows: 16 } })
  context.after(() => loaded.close())
  return loaded.programs.get(name)?.fd ?? -1
}

test('detachFilters() takes our filters off and leaves those of others', { skip }, (context) => {
  const ours = programFd(context, product, 'tc_pod_in')
  const others = programFd(context, loaderObject, 'loader_tc')
  inNetworkNamespace(networkNamespace(context), () => {
    const near = interfaceIndex('near') ?? 0
    const far = interfaceIndex('far') ?? 0
    const [ingress, egress] = (['ingress', 'egress'] as const).map((direction) =>
      attachClassic({ programFd: ours, ifindex: near, direction, priority: 1 }),
    )
    const foreign = attachClassic({ programFd: others, ifindex: far, direction: 'ingress', priority: 1 })

    assert.equal(detachFilters([near, far]), 2)

    assert.equal(ingress && classicProgramId(ingress), undefined)
    assert.equal(egress && classicProgramId(egress), undefined)
    assert.notEqual(classicProgramId(foreign), undefined)
    assert.equal(detachFilters([near, far]), 0)
  })
})
