// SPDX-License-Identifier: Apache-2.0
/** What the kernel has, and what follows where it lacks something. */

import type { KernelFeatures } from '../agent/kernel-features.ts'
import { type Finding, findingsOf } from './finding.ts'

export interface KernelFacts {
  /** `6.1.0-13-amd64`. */
  readonly release: string
  readonly features: KernelFeatures
  /** net.core.bpf_jit_enable; undefined where it cannot be read. */
  readonly jit: string | undefined
}

const CONSEQUENCES: Readonly<Record<keyof KernelFeatures, readonly [since: string, consequence: string]>> = {
  fibSource: ['6.7', "masqueraded flows take the device's first address, not the one that a route names"],
  setRetval: ['5.18', 'connect() to a Service without endpoints fails with EPERM instead of ECONNREFUSED'],
  conntrack: [
    '6.0 with nf_conntrack',
    'a client port that reaches one backend both directly and through a Service may lose one of the two connections',
  ],
}

/** Pure. */
export function checkKernel({ release, features, jit }: KernelFacts): Finding[] {
  const { ok, note, warning } = findingsOf('kernel')
  const findings = [ok(`Linux ${release}`)]
  for (const [name, [since, consequence]] of Object.entries(CONSEQUENCES)) {
    if (!features[name as keyof KernelFeatures]) findings.push(note(`not Linux ${since}: ${consequence}`))
  }
  if (!atLeast(release, 6, 6)) {
    findings.push(note('no tcx (Linux 6.6): tc programs attach by clsact filters, beside those of others'))
  }
  if (jit === '0') {
    findings.push(
      warning(
        'BPF programs are interpreted: each packet costs several times as much',
        'sysctl -w net.core.bpf_jit_enable=1',
      ),
    )
  }
  return findings
}

export function atLeast(release: string, wantedMajor: number, wantedMinor: number): boolean {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10))
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}
