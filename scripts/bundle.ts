// SPDX-License-Identifier: Apache-2.0
/** Bundles the command line into dist/cli/maglane.mjs: what the npm package and the image ship. */

import { chmodSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { build } from 'esbuild'

process.chdir(dirname(import.meta.dirname))

// As deep under the package's root as the sources are, so that both find bpf/dist and package.json by one relative path.
const outfile = 'dist/cli/maglane.mjs'

await build({
  entryPoints: ['src/cli/main.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // A native add-on finds its own binary beside itself.
  external: ['koffi'],
  banner: {
    // CommonJS dependencies ask for node's modules by require().
    js: `#!/usr/bin/env node
import { createRequire as __createRequire } from 'node:module'
const require = __createRequire(import.meta.url)`,
  },
  // Stack traces in bug reports name what the sources name.
  keepNames: true,
  logLevel: 'warning',
})
chmodSync(outfile, 0o755)
