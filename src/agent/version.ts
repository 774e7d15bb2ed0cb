// SPDX-License-Identifier: Apache-2.0
/** The version of maglane that runs. */

import { readFileSync } from 'node:fs'

/** As package.json has it. */
export function packageVersion(): string {
  // Source and bundle stand equally deep under the package's root.
  const file = new URL('../../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
  return version
}
