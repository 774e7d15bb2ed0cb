// SPDX-License-Identifier: Apache-2.0
/** What the tests of this folder share: one control plane a file, and a loud word where there can be none. */
import { after, before, describe, test } from 'node:test'
import { ControlPlane } from '../../src/kube-test/control-plane.ts'
import { canBuildKubeAssets, findKubeAssets } from '../../src/kube-test/kube-assets.ts'

/** Runs tests against a control plane of their own. Skips as {@link withKubeAssets} does. */
export function withControlPlane(name: string, body: (controlPlane: () => ControlPlane) => void): void {
  withKubeAssets(name, () => {
    describe(name, () => {
      let controlPlane: ControlPlane | undefined
      before(async () => {
        controlPlane = await ControlPlane.start()
      })
      after(() => controlPlane?.stop())
      body(() => {
        if (!controlPlane) throw new Error('The control plane runs only while tests do')
        return controlPlane
      })
    })
  })
}

/**
 * Defines tests that need the programs of a control plane.
 *
 * Programs that could be built and were not are a skipped test, which fails a run of CI. Where they can neither be found
 * nor built there is no test at all, and that is said.
 */
export function withKubeAssets(name: string, define: () => void): void {
  const missing = findKubeAssets().missing.filter((tool) => tool !== 'kube-proxy')
  if (missing.length === 0) {
    define()
  } else if (canBuildKubeAssets()) {
    test(name, { skip: `SKIPPED: ${missing.join(', ')} missing; run node scripts/kube-assets.ts` }, () => undefined)
  } else {
    console.error(`SKIPPED: ${name}: ${missing.join(', ')} missing, and no Go that is new enough to build them`)
  }
}
