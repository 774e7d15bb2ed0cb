// SPDX-License-Identifier: Apache-2.0
/** Go's notation of durations, as Kubernetes' configuration files write them. */

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}

/** Milliseconds of `15m0s`, `1.5h`, `300ms`, `0`; undefined when it is no duration. */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0
  if (!/^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined
  const parts = text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g)
  let totalMs = 0
  for (const [, number = '0', unit = 's'] of parts) totalMs += Number(number) * (UNIT_MS[unit] ?? 0)
  return totalMs
}
