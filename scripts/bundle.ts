// SPDX-License-Identifier: Apache-2.0
/** Bundles what the npm package ships: the command line, and the programs that its lab starts. */

import { chmodSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { build } from 'esbuild'

process.chdir(dirname(import.meta.dirname))
rmSync('dist', { recursive: true, force: true })

await build({
  // As deep under the package's root as the sources are, so that both find bpf/dist, examples and package.json by one
  // relative path.
  entryPoints: {
    'cli/maglane': 'src/cli/main.ts',
    'demo/main': 'src/demo/main.ts',
    'lab/client-main': 'src/lab/client-main.ts',
  },
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
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
chmodSync('dist/cli/maglane.mjs', 0o755)
