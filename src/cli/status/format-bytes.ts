// SPDX-License-Identifier: Apache-2.0
/** Numbers of bytes for people. */

const units = ['B', 'KiB', 'MiB', 'GiB'] as const

/** `512 B`, `1.5 KiB`, `128 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}
