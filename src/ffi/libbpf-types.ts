// SPDX-License-Identifier: Apache-2.0
/** Structs that libbpf and bpf(2) take by pointer, as in bpf/bpf.h, bpf/libbpf.h (1.1) and linux/bpf.h. */

import koffi from 'koffi'

/** struct bpf_object_open_opts, as far as it is used. libbpf reads `sz` bytes of it. */
export const ObjectOpenOpts = koffi.struct('maglane_object_open_opts', { sz: 'size_t', object_name: 'str' })

/** struct bpf_map_batch_opts. */
export const MapBatchOpts = koffi.struct('maglane_map_batch_opts', {
  sz: 'size_t',
  elem_flags: 'uint64_t',
  flags: 'uint64_t',
})

/** struct bpf_test_run_opts. */
export const TestRunOpts = koffi.struct('maglane_test_run_opts', {
  sz: 'size_t',
  data_in: 'void *',
  data_out: 'void *',
  data_size_in: 'uint32_t',
  data_size_out: 'uint32_t',
  ctx_in: 'void *',
  ctx_out: 'void *',
  ctx_size_in: 'uint32_t',
  ctx_size_out: 'uint32_t',
  retval: 'uint32_t',
  repeat: 'int',
  duration: 'uint32_t',
  flags: 'uint32_t',
  cpu: 'uint32_t',
  batch_size: 'uint32_t',
})

/** struct bpf_link_create_opts, as far as it is common to all link types. */
export const LinkCreateOpts = koffi.struct('maglane_link_create_opts', {
  sz: 'size_t',
  flags: 'uint32_t',
  iter_info_len: 'uint32_t',
  iter_info: 'void *',
  target_btf_id: 'uint32_t',
})

/** struct bpf_tc_hook. */
export const TcHook = koffi.struct('maglane_tc_hook', {
  sz: 'size_t',
  ifindex: 'int',
  attach_point: 'uint32_t',
  parent: 'uint32_t',
})

/** struct bpf_tc_opts. */
export const TcOpts = koffi.struct('maglane_tc_opts', {
  sz: 'size_t',
  prog_fd: 'int',
  flags: 'uint32_t',
  prog_id: 'uint32_t',
  handle: 'uint32_t',
  priority: 'uint32_t',
})

/** struct bpf_link_info of cgroup links (the member `cgroup` of its union). */
export const CgroupLinkInfo = koffi.struct('maglane_cgroup_link_info', {
  type: 'uint32_t',
  id: 'uint32_t',
  prog_id: 'uint32_t',
  cgroup_id: 'uint64_t',
  attach_type: 'uint32_t',
})

/** struct bpf_link_info of XDP and tcx links; XDP has no attach_type. The union is aligned to 8. */
export const DeviceLinkInfo = koffi.struct('maglane_device_link_info', {
  type: 'uint32_t',
  id: 'uint32_t',
  prog_id: 'uint32_t',
  ifindex: [8, 'uint32_t'],
  attach_type: 'uint32_t',
})

/** struct bpf_map_info, up to what is used. */
export const MapInfo = koffi.struct('maglane_map_info', {
  type: 'uint32_t',
  id: 'uint32_t',
  key_size: 'uint32_t',
  value_size: 'uint32_t',
  max_entries: 'uint32_t',
  map_flags: 'uint32_t',
  name: koffi.array('char', 16, 'String'),
})

/** struct bpf_prog_info, up to verified_insns (5.16). */
export const ProgramInfo = koffi.struct('maglane_prog_info', {
  type: 'uint32_t',
  id: 'uint32_t',
  tag: koffi.array('uint8_t', 8),
  jited_prog_len: 'uint32_t',
  xlated_prog_len: 'uint32_t',
  jited_prog_insns: 'uint64_t',
  xlated_prog_insns: 'uint64_t',
  load_time: 'uint64_t',
  created_by_uid: 'uint32_t',
  nr_map_ids: 'uint32_t',
  map_ids: 'uint64_t',
  name: koffi.array('char', 16, 'String'),
  ifindex: 'uint32_t',
  gpl_compatible: 'uint32_t',
  netns_dev: 'uint64_t',
  netns_ino: 'uint64_t',
  nr_jited_ksyms: 'uint32_t',
  nr_jited_func_lens: 'uint32_t',
  jited_ksyms: 'uint64_t',
  jited_func_lens: 'uint64_t',
  btf_id: 'uint32_t',
  func_info_rec_size: 'uint32_t',
  func_info: 'uint64_t',
  nr_func_info: 'uint32_t',
  nr_line_info: 'uint32_t',
  line_info: 'uint64_t',
  jited_line_info: 'uint64_t',
  nr_jited_line_info: 'uint32_t',
  line_info_rec_size: 'uint32_t',
  jited_line_info_rec_size: 'uint32_t',
  nr_prog_tags: 'uint32_t',
  prog_tags: 'uint64_t',
  run_time_ns: 'uint64_t',
  run_cnt: 'uint64_t',
  recursion_misses: 'uint64_t',
  verified_insns: 'uint32_t',
})
