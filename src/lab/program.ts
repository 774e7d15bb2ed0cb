// SPDX-License-Identifier: Apache-2.0
/** Where the programs stand that a lab starts: sources in a checkout, bundles in the package. */

import { fileURLToPath } from 'node:url'
import { LabError } from './lab-error.ts'

const bundled = !import.meta.url.endsWith('.ts')

/** Arguments that run one of them under this process's own Node. The package has no control plane to run. */
export function program(name: 'demo/main' | 'lab/client-main' | 'lab/cluster-main' | 'cli/main'): string[] {
  if (bundled && name === 'lab/cluster-main')
    throw new LabError('LAB_UNSUPPORTED', 'a lab with an API server runs from a checkout of maglane')
  // The package's command line is a bundle named after the package; all others keep their names.
  const file = bundled ? `../${name === 'cli/main' ? 'cli/maglane' : name}.mjs` : `../${name}.ts`
  return [process.execPath, fileURLToPath(new URL(file, import.meta.url))]
}
