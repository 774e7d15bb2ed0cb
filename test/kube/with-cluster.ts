// SPDX-License-Identifier: Apache-2.0
/** A lab with a real API server for tests: root and the programs of a control plane are needed. */

import { after, before, describe } from 'node:test'
import { createLab, type Lab, type LabOptions } from '../../src/lab/lab.ts'
import { skipWithoutRoot } from '../lab/skip.ts'
import { withKubeAssets } from './with-control-plane.ts'

/** Skips as {@link withKubeAssets} does. */
export function withCluster(name: string, options: LabOptions, body: (lab: () => Lab) => void): void {
  withKubeAssets(name, () => {
    describe(name, skipWithoutRoot, () => {
      let lab: Lab | undefined
      before(async () => {
        lab = await createLab({ ...options, cluster: true })
      })
      after(async () => await lab?.close())
      body(() => {
        if (!lab) throw new Error('The lab is up only while tests run')
        return lab
      })
    })
  })
}
