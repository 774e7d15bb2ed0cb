// SPDX-License-Identifier: Apache-2.0
/** Finds a global variable of an opened BPF object by the object's own BTF. */

import koffi from 'koffi'
import type { Pointer } from '../ffi/check.ts'
import { libbpf } from '../ffi/libbpf.ts'

// linux/btf.h: struct btf_type is three words (name_off, info, size); a BTF_KIND_DATASEC is followed by one
// struct btf_var_secinfo (type, offset, size) a variable, whose number stands in the low half of info.
const BTF_KIND_DATASEC = 15
const TYPE_BYTES = 12
const SECTION_ENTRY_BYTES = 12

/** Where a variable stands in its section, in bytes; undefined when the object has none of that name. */
export function findVariable(
  object: Pointer,
  section: string,
  name: string,
): { readonly offset: number; readonly size: number } | undefined {
  const btf = libbpf().objectBtf(object)
  const id = btf === null ? -1 : libbpf().btfFindByNameKind(btf, section, BTF_KIND_DATASEC)
  if (id < 0) return undefined
  const pointer = libbpf().btfTypeById(btf, id)
  const count = typeWords(pointer, TYPE_BYTES)[1]! & 0xffff
  const words = typeWords(pointer, TYPE_BYTES + count * SECTION_ENTRY_BYTES).subarray(TYPE_BYTES / 4)
  for (let entry = 0; entry < count; entry++) {
    const [type = 0, offset = 0, size = 0] = words.subarray(entry * 3)
    const nameOffset = typeWords(libbpf().btfTypeById(btf, type), TYPE_BYTES)[0]!
    if (libbpf().btfNameByOffset(btf, nameOffset) === name) return { offset, size }
  }
  return undefined
}

function typeWords(pointer: Pointer, bytes: number): Uint32Array {
  return new Uint32Array(koffi.view(pointer, bytes).slice(0))
}
