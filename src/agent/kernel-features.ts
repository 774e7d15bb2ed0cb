// SPDX-License-Identifier: Apache-2.0
/** What the running kernel's BPF can do beyond the least that maglane needs. */

import { readFileSync } from 'node:fs'
import { release } from 'node:os'

export interface KernelFeatures {
  /** BPF_FIB_LOOKUP_SRC: the route lookup names the source address. Linux 6.7. */
  readonly fibSource: boolean
  /** bpf_set_retval(). Linux 5.18. */
  readonly setRetval: boolean
  /** bpf_skb_ct_lookup(): conntrack can be asked. Linux 6.0 with nf_conntrack and its BTF. */
  readonly conntrack: boolean
}

/** Features by the kernel's release, `6.1.0-13-amd64`. */
export function kernelFeatures(
  text: string = release(),
  symbols: () => string = () => readFileSync('/proc/kallsyms', 'latin1'),
): KernelFeatures {
  const [major = 0, minor = 0] = text.split('.').map((part) => Number.parseInt(part, 10))
  const atLeast = (wantedMajor: number, wantedMinor: number) =>
    major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
  return {
    fibSource: atLeast(6, 7),
    setRetval: atLeast(5, 18),
    conntrack: atLeast(6, 0) && / bpf_skb_ct_lookup\b/.test(symbols()),
  }
}
