// SPDX-License-Identifier: Apache-2.0
/** The functions of libbpf.so.1 (1.1 and later) that maglane calls, undecorated: see bpf/bpf.h and bpf/libbpf.h. */

import koffi from 'koffi'
import type { Pointer } from './check.ts'
import { LinkCreateOpts, MapBatchOpts, ObjectOpenOpts, TcHook, TcOpts } from './libbpf-types.ts'
import { type Bind, library } from './library.ts'

type Bytes = Uint8Array
/** A koffi struct as an object; members that are missing are zero. */
type Struct = Record<string, unknown>

const u32 = 'uint32_t'
const u64 = 'uint64_t'
const ptr = 'void *'

/** Opened at the first call. Messages that libbpf would print to standard error are off: errors carry what matters. */
export const libbpf = library('libbpf.so.1', 'install libbpf 1.0 or later (Debian: libbpf1)', (bind) => {
  bind<(print: null) => Pointer>('libbpf_set_print', ptr, [ptr])(null)
  return { ...declareObject(bind), ...declareMap(bind), ...declareProgram(bind), ...declareLink(bind) }
})

function declareObject(bind: Bind) {
  return {
    numPossibleCpus: bind<() => number>('libbpf_num_possible_cpus', 'int', []),
    objectOpenMem: bind<(elf: Bytes, size: number, opts: Struct) => Pointer>('bpf_object__open_mem', ptr, [
      ptr,
      'size_t',
      koffi.pointer(ObjectOpenOpts),
    ]),
    objectLoad: bind<(object: Pointer) => number>('bpf_object__load', 'int', [ptr]),
    objectClose: bind<(object: Pointer) => void>('bpf_object__close', 'void', [ptr]),
    objectBtf: bind<(object: Pointer) => Pointer>('bpf_object__btf', ptr, [ptr]),
    objectNextMap: bind<(object: Pointer, previous: Pointer) => Pointer>('bpf_object__next_map', ptr, [ptr, ptr]),
    objectNextProgram: bind<(object: Pointer, previous: Pointer) => Pointer>('bpf_object__next_program', ptr, [
      ptr,
      ptr,
    ]),
    btfFindByNameKind: bind<(btf: Pointer, name: string, kind: number) => number>('btf__find_by_name_kind', 'int', [
      ptr,
      'str',
      u32,
    ]),
    btfTypeById: bind<(btf: Pointer, id: number) => Pointer>('btf__type_by_id', ptr, [ptr, u32]),
    btfNameByOffset: bind<(btf: Pointer, offset: number) => string | null>('btf__name_by_offset', 'str', [ptr, u32]),
  }
}

function declareMap(bind: Bind) {
  const batchOpts = koffi.pointer(MapBatchOpts)
  const lookupBatch = ['int', ['int', ptr, ptr, ptr, ptr, koffi.inout(koffi.pointer('uint32_t')), batchOpts]] as const
  type LookupBatch = (
    fd: number,
    from: Bytes | null,
    to: Bytes,
    keys: Bytes,
    values: Bytes,
    count: [number],
    opts: Struct | null,
  ) => number
  return {
    mapName: bind<(map: Pointer) => string>('bpf_map__name', 'str', [ptr]),
    mapFd: bind<(map: Pointer) => number>('bpf_map__fd', 'int', [ptr]),
    mapType: bind<(map: Pointer) => number>('bpf_map__type', u32, [ptr]),
    mapKeySize: bind<(map: Pointer) => number>('bpf_map__key_size', u32, [ptr]),
    mapValueSize: bind<(map: Pointer) => number>('bpf_map__value_size', u32, [ptr]),
    mapFlags: bind<(map: Pointer) => number>('bpf_map__map_flags', u32, [ptr]),
    mapMaxEntries: bind<(map: Pointer) => number>('bpf_map__max_entries', u32, [ptr]),
    mapSetMaxEntries: bind<(map: Pointer, entries: number) => number>('bpf_map__set_max_entries', 'int', [ptr, u32]),
    mapSetPinPath: bind<(map: Pointer, path: string) => number>('bpf_map__set_pin_path', 'int', [ptr, 'str']),
    mapIsInternal: bind<(map: Pointer) => boolean>('bpf_map__is_internal', 'bool', [ptr]),
    mapInitialValue: bind<(map: Pointer, size: [number | bigint]) => Pointer>('bpf_map__initial_value', ptr, [
      ptr,
      koffi.out(koffi.pointer('size_t')),
    ]),
    lookup: bind<(fd: number, key: Bytes, value: Bytes) => number>('bpf_map_lookup_elem', 'int', ['int', ptr, ptr]),
    update: bind<(fd: number, key: Bytes, value: Bytes, flags: number) => number>('bpf_map_update_elem', 'int', [
      'int',
      ptr,
      ptr,
      u64,
    ]),
    delete: bind<(fd: number, key: Bytes) => number>('bpf_map_delete_elem', 'int', ['int', ptr]),
    nextKey: bind<(fd: number, key: Bytes | null, next: Bytes) => number>('bpf_map_get_next_key', 'int', [
      'int',
      ptr,
      ptr,
    ]),
    lookupBatch: bind<LookupBatch>('bpf_map_lookup_batch', ...lookupBatch),
    updateBatch: bind<(fd: number, keys: Bytes, values: Bytes, count: [number], opts: Struct | null) => number>(
      'bpf_map_update_batch',
      'int',
      ['int', ptr, ptr, koffi.inout(koffi.pointer('uint32_t')), batchOpts],
    ),
    deleteBatch: bind<(fd: number, keys: Bytes, count: [number], opts: Struct | null) => number>(
      'bpf_map_delete_batch',
      'int',
      ['int', ptr, koffi.inout(koffi.pointer('uint32_t')), batchOpts],
    ),
  }
}

function declareProgram(bind: Bind) {
  return {
    programName: bind<(program: Pointer) => string>('bpf_program__name', 'str', [ptr]),
    programFd: bind<(program: Pointer) => number>('bpf_program__fd', 'int', [ptr]),
    programType: bind<(program: Pointer) => number>('bpf_program__type', u32, [ptr]),
    programAttachType: bind<(program: Pointer) => number>('bpf_program__expected_attach_type', u32, [ptr]),
    programAutoload: bind<(program: Pointer) => boolean>('bpf_program__autoload', 'bool', [ptr]),
    programSetAutoload: bind<(program: Pointer, load: boolean) => number>('bpf_program__set_autoload', 'int', [
      ptr,
      'bool',
    ]),
    programSetLogBuf: bind<(program: Pointer, buffer: Pointer, size: number) => number>(
      'bpf_program__set_log_buf',
      'int',
      [ptr, ptr, 'size_t'],
    ),
    programTestRun: bind<(fd: number, opts: Pointer) => number>('bpf_prog_test_run_opts', 'int', ['int', ptr]),
    programFdById: bind<(id: number) => number>('bpf_prog_get_fd_by_id', 'int', [u32]),
    programNextId: bind<(id: number, next: [number]) => number>('bpf_prog_get_next_id', 'int', [
      u32,
      koffi.inout(koffi.pointer(u32)),
    ]),
  }
}

function declareLink(bind: Bind) {
  const hook = koffi.pointer(TcHook)
  const opts = koffi.pointer(TcOpts)
  return {
    objectPin: bind<(fd: number, path: string) => number>('bpf_obj_pin', 'int', ['int', 'str']),
    objectGet: bind<(path: string) => number>('bpf_obj_get', 'int', ['str']),
    infoByFd: bind<(fd: number, info: Bytes, size: [number]) => number>('bpf_obj_get_info_by_fd', 'int', [
      'int',
      ptr,
      koffi.inout(koffi.pointer('uint32_t')),
    ]),
    linkCreate: bind<(program: number, target: number, attachType: number, opts: Struct | null) => number>(
      'bpf_link_create',
      'int',
      ['int', 'int', u32, koffi.pointer(LinkCreateOpts)],
    ),
    linkUpdate: bind<(link: number, program: number, opts: null) => number>('bpf_link_update', 'int', [
      'int',
      'int',
      ptr,
    ]),
    linkDetach: bind<(link: number) => number>('bpf_link_detach', 'int', ['int']),
    tcHookCreate: bind<(hook: Struct) => number>('bpf_tc_hook_create', 'int', [hook]),
    tcHookDestroy: bind<(hook: Struct) => number>('bpf_tc_hook_destroy', 'int', [hook]),
    tcAttach: bind<(hook: Struct, opts: Struct) => number>('bpf_tc_attach', 'int', [hook, koffi.inout(opts)]),
    tcDetach: bind<(hook: Struct, opts: Struct) => number>('bpf_tc_detach', 'int', [hook, opts]),
    tcQuery: bind<(hook: Struct, opts: Struct) => number>('bpf_tc_query', 'int', [hook, koffi.inout(opts)]),
  }
}
