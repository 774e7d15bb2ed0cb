// SPDX-License-Identifier: Apache-2.0
/**
 * Generates src/abi/generated.ts from the BTF of the BPF objects: enums, structs and the inventory of maps.
 * `--check` writes nothing and fails when the file is stale.
 */

import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { $, argv, chalk } from 'zx'
import { readBtf } from '../src/abi/btf.ts'
import { renderAbi } from '../src/abi/render.ts'

process.chdir(dirname(import.meta.dirname))
const run = $({ quiet: true })
const output = 'src/abi/generated.ts'
const object = 'bpf/build/abi.o'

await run`${process.execPath} scripts/build-bpf.ts ${object}`
const dump = (await run`bpftool -j btf dump file ${object}`).stdout
const abi = readBtf(JSON.parse(dump))

// clang leaves out of BTF what nothing reaches.
for (const [, kind = '', name = ''] of readFileSync('bpf/abi.h', 'utf8').matchAll(/^(struct|enum) (\w+) \{$/gm)) {
  const known = kind === 'enum' ? abi.enums : abi.structs
  if (name !== 'addr' && !known.has(name)) throw new Error(`abi.h: name ${kind} ${name} in bpf/abi.bpf.c`)
}

const draft = renderAbi(abi, (layout) => createHash('sha256').update(layout).digest().readUInt32LE(0))
const text = (await run({ input: draft })`biome check --write --stdin-file-path=${output}`).stdout
if (argv.check !== true) {
  writeFileSync(output, text)
} else if (readFileSync(output, 'utf8') !== text) {
  console.error(chalk.red(`${output} is stale: run node scripts/gen-abi.ts`))
  process.exitCode = 1
}
