// SPDX-License-Identifier: Apache-2.0
/** Loads a prebuilt BPF object: sizes, knobs, pins, programs. */

import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import koffi from 'koffi'
import { type Config, configCodec } from '../abi/generated.ts'
import { check, isNativeError, type NativeError } from '../ffi/check.ts'
import { libbpf } from '../ffi/libbpf.ts'
import { ObjectOpenOpts } from '../ffi/libbpf-types.ts'
import { type MappedMemory, mapAnonymous } from '../ffi/libc.ts'
import { ensurePinDirectory, unpin } from './bpffs.ts'
import { closeMap, type MapHandle, openPinnedMap } from './map-handle.ts'
import { findVariable } from './object-btf.ts'
import type { ProgramHandle } from './program.ts'
import { digestLog, formatDigest, type LogDigest } from './verifier-log.ts'

/** Address space for a program's verifier log; pages that stay empty cost nothing. */
const LOG_BYTES = 16 << 20

/** How an object is loaded. Names that the object does not have are errors. */
export interface LoadOptions {
  /** A file, or its bytes. */
  readonly object: string | Uint8Array
  /** Sizes of maps by name; default: as in C. */
  readonly maxEntries?: Readonly<Record<string, number>>
  /** Members of the variable `cfg` in .rodata that differ from the object's own: what they turn off, the verifier drops. */
  readonly config?: Partial<Config>
  /** Programs to load; default: all but those whose SEC() starts with `?`. */
  readonly programs?: readonly string[]
  /** Folder in bpffs, made when it is missing: maps that are pinned there are used, others are created and pinned. Default: nothing is pinned. */
  readonly pinDirectory?: string
  /** Names of the maps that live in the pin folder; the others are this object's own. Default: all. */
  readonly pinnedMaps?: readonly string[]
  /** A pinned map of another shape or size: `fail` (default), or `replace` it by a new, empty one. */
  readonly incompatible?: 'fail' | 'replace'
}

/** The kernel or libbpf refused the object. */
export class ObjectLoadError extends Error {
  override readonly name = 'ObjectLoadError'
  readonly code = 'E_BPF_LOAD'
  /** The program that was refused; undefined when it was a map or the object as a whole. */
  readonly program: string | undefined
  /** The end of the verifier's log of that program. */
  readonly log: LogDigest | undefined

  constructor(message: string, cause?: NativeError, program?: string, log?: LogDigest) {
    super(message, { cause })
    this.program = program
    this.log = log
  }
}

/** What differs between a pinned map and the object's. */
export class PinnedMapError extends Error {
  override readonly name = 'PinnedMapError'
  readonly code = 'E_PINNED_MAP'
}

/** A loaded object. Its handles are valid until it is closed; what is pinned or attached outlives it. */
export interface BpfObject extends Disposable {
  readonly maps: ReadonlyMap<string, MapHandle>
  readonly programs: ReadonlyMap<string, ProgramHandle>
  /** Names of maps that were taken over from pins. */
  readonly reused: readonly string[]
  /** Names of maps whose incompatible pins were replaced. */
  readonly replaced: readonly string[]
  close(): void
}

/**
 * Loads maps and programs into the kernel.
 *
 * @throws {ObjectLoadError} with the end of the verifier's log.
 * @throws {PinnedMapError} with all differences to a pinned map.
 */
export function loadObject(options: LoadOptions): BpfObject {
  const name = typeof options.object === 'string' ? basename(options.object).replace(/\..*$/, '') : 'maglane'
  const object = openObject(name, options.object)
  try {
    const maps = [...each(object, libbpf().objectNextMap)].filter((map) => !libbpf().mapIsInternal(map))
    const programs = [...each(object, libbpf().objectNextProgram)]
    setSizes(maps, options.maxEntries ?? {})
    const wanted = choosePrograms(programs, options.programs)
    if (options.config) setConfig(object, options.config)
    const pins = setPins(maps, options)
    loadInto(object, name, wanted)
    return {
      maps: new Map(maps.map((map) => [libbpf().mapName(map), mapHandle(map)])),
      programs: new Map(wanted.map((program) => [libbpf().programName(program), programHandle(program)])),
      ...pins,
      ...closing(object),
    }
  } catch (error) {
    libbpf().objectClose(object)
    throw error
  }
}

function closing(object: bigint): { close(): void; [Symbol.dispose](): void } {
  let open = true
  const close = () => {
    if (open) libbpf().objectClose(object)
    open = false
  }
  return { close, [Symbol.dispose]: close }
}

function openObject(name: string, source: string | Uint8Array): bigint {
  const elf = typeof source === 'string' ? readFileSync(source) : source
  const opened = libbpf().objectOpenMem(elf, elf.length, { sz: koffi.sizeof(ObjectOpenOpts), object_name: name })
  try {
    return check('bpf_object__open_mem', opened, name)
  } catch (cause) {
    throw new ObjectLoadError(`Cannot read the BPF object ${name}: ${(cause as Error).message}`, cause as NativeError)
  }
}

/** Walks one of libbpf's lists. */
function* each(object: bigint, next: (object: bigint, previous: bigint | null) => bigint | null): Generator<bigint> {
  for (let item = next(object, null); item !== null; item = next(object, item)) yield item
}

function setSizes(maps: readonly bigint[], sizes: Readonly<Record<string, number>>): void {
  for (const [name, entries] of Object.entries(sizes)) {
    const map = maps.find((candidate) => libbpf().mapName(candidate) === name)
    if (map === undefined) throw new ObjectLoadError(`The object has no map ${name} to set the size of`)
    check('bpf_map__set_max_entries', libbpf().mapSetMaxEntries(map, entries), `map ${name}`)
  }
}

/** @returns the programs that will be loaded. */
function choosePrograms(programs: readonly bigint[], names: readonly string[] | undefined): readonly bigint[] {
  const known = new Map(programs.map((program) => [libbpf().programName(program), program]))
  for (const name of names ?? []) {
    if (!known.has(name))
      throw new ObjectLoadError(`The object has no program ${name}: it has ${[...known.keys()].join(', ')}`)
  }
  if (names === undefined) return programs.filter((program) => libbpf().programAutoload(program))
  const wanted = programs.filter((program) => names.includes(libbpf().programName(program)))
  for (const program of programs) {
    check('bpf_program__set_autoload', libbpf().programSetAutoload(program, wanted.includes(program)), 'a program')
  }
  return wanted
}

function setConfig(object: bigint, config: Partial<Config>): void {
  const sectionName = '.rodata'
  const variable = findVariable(object, sectionName, 'cfg')
  // libbpf names the map of a section after the object: the name's end is what tells it.
  const map = [...each(object, libbpf().objectNextMap)].find(
    (candidate) => libbpf().mapIsInternal(candidate) && libbpf().mapName(candidate).endsWith(sectionName),
  )
  if (!variable || map === undefined) throw new ObjectLoadError('The object has no variable cfg')
  if (variable.size !== configCodec.size) {
    throw new ObjectLoadError(
      `cfg has ${variable.size} bytes in the object, ${configCodec.size} in the codec: rebuild both`,
    )
  }
  const size: [number] = [0]
  const value = check('bpf_map__initial_value', libbpf().mapInitialValue(map, size), 'cfg')
  const section = new DataView(koffi.view(value, Number(size[0])))
  configCodec.encode({ ...configCodec.decode(section, variable.offset), ...config }, section, variable.offset)
}

function setPins(
  maps: readonly bigint[],
  { pinDirectory, pinnedMaps, incompatible = 'fail' }: LoadOptions,
): { readonly reused: readonly string[]; readonly replaced: readonly string[] } {
  const reused: string[] = []
  const replaced: string[] = []
  if (pinDirectory === undefined) return { reused, replaced }
  ensurePinDirectory(pinDirectory)
  for (const map of maps) {
    const name = libbpf().mapName(map)
    if (pinnedMaps?.includes(name) === false) continue
    const path = join(pinDirectory, name)
    const differences = compareWithPinned(map, path)
    if (differences && differences.length > 0) {
      if (incompatible === 'fail')
        throw new PinnedMapError(`The map pinned at ${path} does not fit: ${differences.join(', ')}`)
      unpin(path)
      replaced.push(name)
    } else if (differences) {
      reused.push(name)
    }
    check('bpf_map__set_pin_path', libbpf().mapSetPinPath(map, path), `map ${name}`)
  }
  return { reused, replaced }
}

/** All differences; undefined when nothing is pinned there. */
function compareWithPinned(map: bigint, path: string): readonly string[] | undefined {
  let pinned: MapHandle
  try {
    pinned = openPinnedMap(path)
  } catch (error) {
    if (isNativeError(error, 'ENOENT')) return undefined
    throw error
  }
  closeMap(pinned)
  const expected = mapHandle(map)
  return (['type', 'keySize', 'valueSize', 'maxEntries', 'flags'] as const)
    .filter((property) => pinned[property] !== expected[property])
    .map((property) => `${property} is ${pinned[property]}, wanted ${expected[property]}`)
}

function loadInto(object: bigint, name: string, programs: readonly bigint[]): void {
  const logs = new Map<bigint, MappedMemory>()
  try {
    for (const program of programs) {
      const memory = mapAnonymous(LOG_BYTES)
      logs.set(program, memory)
      // At level 0 libbpf fills it only when the program was refused, by a second try.
      check('bpf_program__set_log_buf', libbpf().programSetLogBuf(program, memory.pointer, LOG_BYTES), 'a program')
    }
    check('bpf_object__load', libbpf().objectLoad(object), name)
  } catch (cause) {
    throw loadError(cause as NativeError, name, logs)
  } finally {
    for (const memory of logs.values()) memory.unmap()
  }
}

function loadError(cause: NativeError, object: string, logs: ReadonlyMap<bigint, MappedMemory>): ObjectLoadError {
  for (const [program, memory] of logs) {
    const bytes = Buffer.from(memory.bytes)
    if (bytes[0] === 0) continue
    const digest = digestLog(bytes.toString('utf8', 0, bytes.indexOf(0)))
    const name = libbpf().programName(program)
    return new ObjectLoadError(
      `The kernel refused the program ${name} (${cause.code}):\n${formatDigest(digest)}`,
      cause,
      name,
      digest,
    )
  }
  return new ObjectLoadError(`Cannot load the BPF object ${object}, no program was refused: ${cause.message}`, cause)
}

function mapHandle(map: bigint): MapHandle {
  const { mapName, mapFd, mapType, mapKeySize, mapValueSize, mapMaxEntries, mapFlags } = libbpf()
  return {
    name: mapName(map),
    fd: mapFd(map),
    type: mapType(map),
    keySize: mapKeySize(map),
    valueSize: mapValueSize(map),
    maxEntries: mapMaxEntries(map),
    flags: mapFlags(map),
  }
}

function programHandle(program: bigint): ProgramHandle {
  const { programName, programFd, programType, programAttachType } = libbpf()
  return {
    name: programName(program),
    fd: check('bpf_program__fd', programFd(program), programName(program)),
    type: programType(program),
    attachType: programAttachType(program),
  }
}
