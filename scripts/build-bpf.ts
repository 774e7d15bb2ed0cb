// SPDX-License-Identifier: Apache-2.0
/**
 * Compiles the BPF programs. `bpf/*.bpf.c` are linked into `bpf/dist/maglane.bpf.o`, which is shipped; each of
 * `bpf/test/*.bpf.c` becomes a `bpf/dist/test/<name>.o` of its own; `bpf/abi.bpf.c` becomes `bpf/build/abi.o`, from which
 * gen-abi.ts reads the types. Outputs named as arguments are built alone. What is up to date is left; `--force` builds anew.
 */

import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { arch } from 'node:os'
import { basename, dirname } from 'node:path'
import process from 'node:process'
import { $, argv, chalk, ProcessOutput } from 'zx'

/** One object file and what it is linked from. */
interface Target {
  readonly output: string
  readonly sources: readonly string[]
}

process.chdir(dirname(import.meta.dirname))
const run = $({ quiet: true })
const multiarch = arch() === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'
const flags = [
  ...['-O2', '-g', '-Wall', '-Wextra', '-Werror', '-target', 'bpf', '-mcpu=v3'],
  // BTF names source files: nothing of the building machine's paths may reach the shipped object.
  ...[`-ffile-prefix-map=${process.cwd()}/=`, '-fdebug-compilation-dir=.'],
  // asm/types.h stands there on Debian; other distributions have it in the default path.
  ...['-Ibpf', `-I/usr/include/${multiarch}`],
]

const programs = globSync('bpf/*.bpf.c')
  .filter((source) => source !== 'bpf/abi.bpf.c')
  .sort()
const targets: readonly Target[] = [
  { output: 'bpf/build/abi.o', sources: ['bpf/abi.bpf.c'] },
  ...globSync('bpf/test/*.bpf.c')
    .sort()
    .map((source) => ({ output: `bpf/dist/test/${basename(source, '.bpf.c')}.o`, sources: [source] })),
  ...(programs.length > 0 ? [{ output: 'bpf/dist/maglane.bpf.o', sources: programs }] : []),
]

const tools = await toolVersions()
const headers = globSync('bpf/**/*.h').sort()
for (const folder of ['bpf/build', 'bpf/dist/test']) mkdirSync(folder, { recursive: true })
const wanted = targets.filter(({ output }) => argv._.length === 0 || argv._.includes(output))
const results = await Promise.allSettled(wanted.map(build))
for (const result of results) {
  if (result.status === 'fulfilled') continue
  process.exitCode = 1
  console.error(chalk.red(result.reason instanceof ProcessOutput ? result.reason.stderr : String(result.reason)))
}

async function toolVersions(): Promise<string> {
  const versions = await Promise.all(
    [
      ['clang', '--version'],
      ['bpftool', 'version'],
      ['llvm-strip', '--version'],
    ].map(async ([tool = '', flag = '']) => {
      const output = await run({ nothrow: true })`${tool} ${flag}`
      if (!output.ok) throw new Error(`${tool} is missing: run scripts/bootstrap.sh, which installs it`)
      return output.stdout
    }),
  )
  return versions.join('')
}

async function build({ output, sources }: Target): Promise<void> {
  const stamp = `bpf/build/${output.replaceAll('/', '_')}.stamp`
  const fingerprint = fingerprintOf(sources)
  if (argv.force !== true && isCurrent(output, stamp, fingerprint)) {
    // Bootstrap compares times.
    utimesSync(output, new Date(), new Date())
    return
  }
  // Side by side with another build, whole files only.
  const suffix = `.${process.pid}.tmp`
  const objects = sources.map((source) => `bpf/build/${basename(source, '.bpf.c')}${suffix}`)
  const linked = `${output}${suffix}`
  try {
    await Promise.all(sources.map((source, index) => run`clang ${flags} -c ${source} -o ${objects[index]}`))
    // Linked even when it is one: raw clang output has no offsets in its data sections' BTF.
    await run`bpftool gen object ${linked} ${objects}`
    // DWARF only: BTF stays.
    await run`llvm-strip -g ${linked}`
    renameSync(linked, output)
    writeFileSync(stamp, fingerprint)
    console.log(`${chalk.green('built')} ${output}`)
  } finally {
    for (const file of [...objects, linked]) rmSync(file, { force: true })
  }
}

/** Of all that the object's bytes depend on. */
function fingerprintOf(sources: readonly string[]): string {
  const hash = createHash('sha256').update(tools).update(JSON.stringify(flags))
  for (const file of [...headers, ...sources]) hash.update(file).update('\0').update(readFileSync(file))
  return hash.digest('hex')
}

function isCurrent(output: string, stamp: string, fingerprint: string): boolean {
  try {
    return readFileSync(stamp, 'utf8') === fingerprint && readFileSync(output).length > 0
  } catch {
    return false
  }
}
